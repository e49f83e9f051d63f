// Package twofoldv1 is the contract of Twofold, package twofold.v1 of protocol buffers: messages, enums and stubs,
// generated from protos/twofold/v1 by `make generate`. [twofold.example/go.Client] has a stub of each service.
package twofoldv1
