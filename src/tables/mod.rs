//! TOML files that people edit, read so that every mistake is reported at once.
