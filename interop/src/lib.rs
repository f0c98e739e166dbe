//! Tests of cancuoc against independent implementations; see `tests/`.
