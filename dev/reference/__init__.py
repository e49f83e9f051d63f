"""The pages of docs/reference and docs/errors.md, written from the contract's descriptors and comments."""
