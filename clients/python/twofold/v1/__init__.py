"""Generated from protos/twofold/v1 by `make generate`: messages, enums, stubs. Not edited by hand."""
