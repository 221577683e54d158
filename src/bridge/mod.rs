//! What an intent becomes: order, apply, reads.
