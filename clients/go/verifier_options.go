package twofold

import (
	"errors"
	"fmt"
	"time"
)

// verification is what a verifier is made of.
type verification struct {
	connection
	realmID, audience string
	asks              bool
	silence, leeway   time.Duration
	cacheSize         int
	clock             func() time.Time
}

type verifierOption func(*verification)

func (o verifierOption) applyVerifier(v *verification) { o(v) }

// WithAskOnSilence makes Check ask CheckSession while nothing is heard of what is revoked. Verify refuses all the same.
func WithAskOnSilence() VerifierOption {
	return verifierOption(func(v *verification) { v.asks = true })
}

// WithSilence sets how long no sign of life is borne, a heartbeat coming each second; 5 s unless set, 1 h at most.
func WithSilence(silence time.Duration) VerifierOption {
	return verifierOption(func(v *verification) { v.silence = silence })
}

// WithLeeway sets what a token that has expired is forgiven, 0 to 30 s; 0 unless set.
func WithLeeway(leeway time.Duration) VerifierOption {
	return verifierOption(func(v *verification) { v.leeway = leeway })
}

// WithCacheSize sets how many verified tokens are remembered at most, some 0.7 KB each; 32,768 unless set.
func WithCacheSize(tokens int) VerifierOption {
	return verifierOption(func(v *verification) { v.cacheSize = tokens })
}

// WithClock replaces time.Now, for tests.
func WithClock(now func() time.Time) VerifierOption {
	return verifierOption(func(v *verification) { v.clock = now })
}

func (v *verification) check() error {
	switch {
	case v.realmID == "" || v.audience == "":
		return errors.New("a verifier needs the realm and the audience that its tokens must have been issued for")
	case v.leeway < 0 || v.leeway > maxLeeway:
		return fmt.Errorf("the leeway is 0 to %v, not %v", maxLeeway, v.leeway)
	case v.silence <= 0 || v.silence > time.Hour:
		return fmt.Errorf("silence must be a positive duration of at most 1 h, not %v", v.silence)
	case v.cacheSize < 2:
		return errors.New("the cache size must be at least 2")
	case v.clock == nil:
		return errors.New("WithClock needs a clock")
	}
	return v.connection.check()
}
