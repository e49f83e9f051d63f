package twofold

import (
	"context"
	"slices"
	"time"
)

// VerifiedSession tells who is signed in, and how that was proven. Times are in UTC. It holds no token.
type VerifiedSession struct {
	// AccountID is the account; UUID.
	AccountID string
	// SessionID is the session, as ListSessions names it; UUID.
	SessionID string
	// RealmID is the realm of the account.
	RealmID string
	// ClientID is the calling service that the token was issued to.
	ClientID string
	// Audience is who the token was issued for: the Verifier's own audience.
	Audience string
	// AAL is the authenticator assurance level (NIST SP 800-63B): 1, or 2 with a second factor proven.
	AAL int
	// AuthTime is when the user last proved the first factor.
	AuthTime time.Time
	// SecondFactorTime is when the user last proved a second factor in this session; zero if never.
	SecondFactorTime time.Time
	// Epoch is the account's epoch when the session was made or carried over.
	Epoch int
	// ExpireTime is when the access token expires; the session may live on.
	ExpireTime time.Time

	amr []string
}

// AMR tells how the user proved who they are (RFC 8176): pwd, otp, mfa, and backup for a backup code. The slice is the
// caller's to keep.
func (s VerifiedSession) AMR() []string { return slices.Clone(s.amr) }

// HasAMR tells whether a method is among those of AMR.
func (s VerifiedSession) HasAMR(method string) bool { return slices.Contains(s.amr, method) }

type sessionKey struct{}

// ContextWithSession puts a verified session into a context, as the middleware does; for tests of handlers, too.
func ContextWithSession(ctx context.Context, session VerifiedSession) context.Context {
	return context.WithValue(ctx, sessionKey{}, session)
}

// SessionFromContext gives the session that the middleware verified; false where the request has passed none.
func SessionFromContext(ctx context.Context) (VerifiedSession, bool) {
	session, found := ctx.Value(sessionKey{}).(VerifiedSession)
	return session, found
}
