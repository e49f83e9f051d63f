package twofold

import "context"

// Checker is what the middleware asks; a [Verifier] is one.
type Checker interface {
	// Check gives what a good token says, or fails as Verifier.Check does.
	Check(ctx context.Context, token string) (VerifiedSession, error)
}

var _ Checker = (*Verifier)(nil)
