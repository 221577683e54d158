//! Routes, credentials, listeners, JSON bodies, and the one table from outcome to status.
