"""docs/fidelity.md, generated from the rows in docs/fidelity/ and from the tests that hold them."""
