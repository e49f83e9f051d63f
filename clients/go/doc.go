// Package twofold is the Go client of the Twofold authentication service.
//
// [Client] calls it, with sensible deadlines, typed errors, and repeats only where the contract allows them.
// [Verifier] checks access tokens without a call. The generated stubs are in the package twofold.example/go/v1, the
// interceptors for gRPC servers in twofoldgrpc, the middleware for net/http in twofoldhttp.
package twofold
