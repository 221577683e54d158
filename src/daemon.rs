//! The running daemon: what `serve` puts together.
