//! Tests of short configurations.
