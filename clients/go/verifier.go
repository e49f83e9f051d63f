package twofold

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	twofoldv1 "twofold.example/go/v1"
)

// Verifier verifies access tokens of one realm and audience without a call: session, err := verifier.Verify(token).
//
// It holds the realm's signing keys and, by a stream, all that is revoked: a sign-out is known here within 250 ms.
// Before the first snapshot of that, and after 5 s without a sign of life, it vouches for nobody
// ([ErrVerifierNotReady]). Its caller needs the role `verifier` in the realm. Safe for concurrent use.
type Verifier struct {
	settings verification
	judge    *judge
	client   *Client
	keys     tries
	stream   tries
	wanted   chan struct{}
	// How often the signing keys are fetched anyway: a new one is published 10 min before it signs.
	keysEvery time.Duration

	running sync.WaitGroup
	mutex   sync.Mutex
	started bool
	closed  bool
	cancel  context.CancelFunc
	context context.Context
	// Closed and replaced whenever anything is heard.
	news chan struct{}
}

// NewVerifier prepares a verifier of the tokens that a realm issued for an audience; neither has a default.
//
// It fails where an option makes no sense, and for plain text beyond loopback. Start and WaitReady follow.
func NewVerifier(target, realmID, audience string, options ...VerifierOption) (*Verifier, error) {
	settings := verification{
		connection: defaults(target),
		realmID:    realmID, audience: audience,
		silence: 5 * time.Second, cacheSize: 32_768, clock: time.Now,
	}
	for _, option := range options {
		option.applyVerifier(&settings)
	}
	if err := settings.check(); err != nil {
		return nil, fmt.Errorf("twofold: %w", err)
	}
	client, err := newClient(settings.connection)
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		settings: settings, client: client,
		keys:      tries{what: "signing keys", logger: settings.logger},
		stream:    tries{what: "revocations", logger: settings.logger},
		wanted:    make(chan struct{}, 1),
		keysEvery: 300 * time.Second,
		news:      make(chan struct{}),
	}
	v.context, v.cancel = context.WithCancel(context.Background())
	v.judge = newJudge(&settings, v.wantKeys)
	return v, nil
}

// StartVerifier is NewVerifier, Start and WaitReady in one.
func StartVerifier(
	ctx context.Context, target, realmID, audience string, options ...VerifierOption,
) (*Verifier, error) {
	v, err := NewVerifier(target, realmID, audience, options...)
	if err != nil {
		return nil, err
	}
	if err = v.Start(); err == nil {
		err = v.WaitReady(ctx)
	}
	if err != nil {
		_ = v.Close()
		return nil, err
	}
	return v, nil
}

// Start begins to fetch keys and revocations, and goes on until Close. It returns at once; WaitReady follows.
func (v *Verifier) Start() error {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.started || v.closed {
		return errors.New("twofold: a verifier is started once")
	}
	v.started = true
	v.running.Go(v.keepKeys)
	v.running.Go(v.keepWatching)
	return nil
}

// WaitReady returns once tokens can be verified. It fails with ErrVerifierNotReady when the time of ctx, or else the
// deadline (5 s), is over.
//
// It fails at once with what waiting does not mend: ErrUnauthenticated or ErrPermissionDenied for the caller,
// ErrNotFound for the realm, and where the realm issues no tokens for the audience.
func (v *Verifier) WaitReady(ctx context.Context) error {
	ctx, cancel := v.settings.bounded(ctx)
	defer cancel()
	for {
		news := v.nextNews()
		if v.judge.isFresh(v.settings.clock()) {
			return nil
		}
		for _, of := range []*tries{&v.keys, &v.stream} {
			if refusal := of.refusal(); refusal != nil {
				return fmt.Errorf("twofold: the verifier can't become ready: %w", refusal)
			}
		}
		select {
		case <-news:
		case <-v.context.Done():
			return notReady("The verifier is closed.")
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			failed := notReady("Not ready in time.")
			if cause := errors.Join(v.keys.last(), v.stream.last()); cause != nil {
				failed.cause = cause
			}
			return failed
		}
	}
}

// Close ends the stream and the connection. From then on nobody is vouched for.
func (v *Verifier) Close() error {
	v.mutex.Lock()
	v.closed = true
	v.mutex.Unlock()
	v.cancel()
	v.running.Wait()
	v.judge.stop()
	return v.client.Close()
}

// Verify gives what a good token says; it never waits and never calls.
//
// It fails with ErrSessionExpired, with ErrSessionEnded (its Reason SESSION_ENDED if it was revoked, SESSION_INVALID if
// the token is not one of this realm and audience), or with ErrVerifierNotReady: then nothing is said of the token,
// answer 503.
func (v *Verifier) Verify(token string) (VerifiedSession, error) { return v.judge.verify(token) }

// Check gives what a good token says, like Verify, but waits where that helps.
//
// For the keys, where the token names one that is not known yet; and for the answer of CheckSession, where nothing is
// heard and WithAskOnSilence is set. It fails with what Verify does, and then with what CheckSession does.
func (v *Verifier) Check(ctx context.Context, token string) (VerifiedSession, error) {
	now := v.settings.clock()
	// Before it is judged: what is heard meanwhile does not make what was held before fresh.
	fresh := v.judge.isFresh(now)
	entry, err := v.judge.judge(token, now)
	var unknown unknownKey
	if errors.As(err, &unknown) {
		if err = v.awaitKeys(ctx); err != nil {
			return VerifiedSession{}, err
		}
		now = v.settings.clock()
		fresh = v.judge.isFresh(now)
		entry, err = v.judge.judge(token, now)
	}
	if errors.As(err, &unknown) {
		return VerifiedSession{}, invalid(unknown.Error())
	}
	if err != nil {
		return VerifiedSession{}, err
	}
	if fresh {
		return entry.session, nil
	}
	if !v.settings.asks {
		return VerifiedSession{}, v.judge.notFresh()
	}
	request := &twofoldv1.CheckSessionRequest{RealmId: v.settings.realmID, Audience: v.settings.audience}
	if _, err := v.client.Sessions.CheckSession(ctx, request, WithSession(token)); err != nil {
		return VerifiedSession{}, err
	}
	return entry.session, nil
}

func (v *Verifier) awaitKeys(ctx context.Context) error {
	if !v.judge.wantKeys() {
		return nil
	}
	ctx, cancel := v.settings.bounded(ctx)
	defer cancel()
	for news := v.nextNews(); v.judge.keysComing(); news = v.nextNews() {
		select {
		case <-news:
		case <-v.context.Done():
			return notReady("The verifier is closed.")
		case <-ctx.Done():
			return notReady("The signing keys could not be fetched.")
		}
	}
	return nil
}

// String names realm, audience and target.
func (v *Verifier) String() string {
	return fmt.Sprintf("twofold.Verifier of %s for %s at %s", v.settings.realmID, v.settings.audience, v.settings.target)
}

// GoString is String: %#v shows no credential either.
func (v *Verifier) GoString() string { return v.String() }

// nextNews gives what is closed when anything is heard. Ask before looking, or news in between are missed.
func (v *Verifier) nextNews() <-chan struct{} {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.news
}

func (v *Verifier) tell() {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	close(v.news)
	v.news = make(chan struct{})
}
