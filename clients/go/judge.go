package twofold

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	twofoldv1 "twofold.example/go/v1"
)

// At most one fetch of the keys in this time for the sake of tokens that name an unknown one.
const unknownKeyPause = 30 * time.Second

// trust is a key set and what was verified with it: another set begins with an empty cache.
type trust struct {
	expect    expected
	keys      map[string]*signingKey
	published []byte
	cache     *cache
}

// judge judges tokens of one realm and audience by the keys and revocations that it is given. No I/O.
type judge struct {
	realmID, audience string
	leeway, silence   time.Duration
	cacheSize         int
	clock             func() time.Time
	fetchKeys         func()
	received          *received

	began time.Time
	trust atomic.Pointer[trust]
	// In the time since began, of a clock that nobody sets; never, until the first snapshot is complete.
	freshUntil atomic.Int64

	mutex          sync.Mutex
	fetching       bool
	unknownKeyFrom time.Duration
}

const never = math.MinInt64

func newJudge(v *verification, fetchKeys func()) *judge {
	made := &judge{
		realmID: v.realmID, audience: v.audience, leeway: v.leeway, silence: v.silence, cacheSize: v.cacheSize,
		clock: v.clock, fetchKeys: fetchKeys, received: newReceived(v.realmID),
		began: v.clock(), unknownKeyFrom: never,
	}
	made.freshUntil.Store(never)
	return made
}

// elapsed is monotonic where the clock is, as time.Now is.
func (j *judge) elapsed(now time.Time) time.Duration { return now.Sub(j.began) }

func (j *judge) hasKeys() bool { return j.trust.Load() != nil }

// isFresh tells whether all that was revoked is known, and a sign of life was heard lately.
func (j *judge) isFresh(now time.Time) bool {
	return j.trust.Load() != nil && int64(j.elapsed(now)) <= j.freshUntil.Load()
}

// verify judges a token by what is held; never waits.
func (j *judge) verify(token string) (VerifiedSession, error) {
	now := j.clock()
	// Before it is judged: what is heard meanwhile does not make what was held before fresh.
	freshUntil := j.freshUntil.Load()
	entry, err := j.judge(token, now)
	if err != nil {
		var unknown unknownKey
		if !errors.As(err, &unknown) {
			return VerifiedSession{}, err
		}
		if j.wantKeys() {
			return VerifiedSession{}, notReady("The token names a key that is being fetched.")
		}
		return VerifiedSession{}, invalid(unknown.Error())
	}
	if int64(j.elapsed(now)) > freshUntil {
		return VerifiedSession{}, j.notFresh()
	}
	return entry.session, nil
}

// judge judges a token by what is held, fresh or not. It fails with unknownKey or an *Error.
func (j *judge) judge(token string, now time.Time) (*verified, error) {
	trust := j.trust.Load()
	if trust == nil {
		return nil, notReady("The signing keys have not been fetched yet.")
	}
	if len(token) > maxTokenBytes {
		return nil, invalid("too long")
	}
	// Of the whole token: a forged copy with another signature is another entry. Not by []byte(token), which would be
	// a copy on the heap: SHA-256 only reads.
	digest := sha256.Sum256(unsafe.Slice(unsafe.StringData(token), len(token)))
	entry := trust.cache.get(&digest)
	if entry == nil || !now.Before(entry.until) {
		var err error
		if entry, err = j.read(trust, token, &digest, now); err != nil {
			return nil, err
		}
	}
	if j.received.isDead(entry) {
		return nil, ended()
	}
	return entry, nil
}

func (j *judge) read(trust *trust, token string, digest *[sha256.Size]byte, now time.Time) (*verified, error) {
	session, until, kid, err := readToken(token, trust.keys, &trust.expect, now)
	if err != nil {
		var unknown unknownKey
		switch {
		case errors.Is(err, errExpiredToken):
			return nil, expired()
		case !errors.As(err, &unknown):
			return nil, invalid(err.Error())
		// Taken out of the set because it is revoked: there is nothing to fetch.
		case j.received.isKeyDead(string(unknown)):
			return nil, ended()
		}
		return nil, unknown
	}
	entry := &verified{digest: *digest, session: session, until: until, kid: kid}
	trust.cache.put(entry, now)
	return entry, nil
}

func (j *judge) notFresh() *Error {
	if j.freshUntil.Load() == never {
		return notReady("It is not known yet what is revoked.")
	}
	return notReady(fmt.Sprintf("Nothing was heard of what is revoked for %v.", j.silence))
}

// takeKeys verifies with these keys from now on. It fails where they or the issuer make no sense.
func (j *judge) takeKeys(response *twofoldv1.GetSigningKeysResponse) error {
	if response.GetIssuer() == "" {
		return errors.New("the server names no issuer")
	}
	if !slices.Contains(response.GetAudiences(), j.audience) {
		return fmt.Errorf("the realm %q issues no tokens for the audience %q", j.realmID, j.audience)
	}
	published, err := proto.MarshalOptions{Deterministic: true}.Marshal(response)
	if err != nil {
		return err
	}
	keys := make(map[string]*signingKey, len(response.GetKeys()))
	for _, key := range response.GetKeys() {
		public, err := newPublicKey(key.GetX(), key.GetY())
		if err != nil {
			return err
		}
		made := &signingKey{kid: key.GetKeyId(), public: public}
		if key.GetRetireTime() != nil {
			made.retires = key.GetRetireTime().AsTime()
		}
		keys[made.kid] = made
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.fetching = false
	if held := j.trust.Load(); held != nil && string(held.published) == string(published) {
		return nil
	}
	expect := expected{j.realmID, response.GetIssuer(), j.audience, j.leeway}
	j.trust.Store(&trust{expect, keys, published, newCache(j.cacheSize)})
	return nil
}

// wantKeys has the keys fetched because of an unknown one, unless that was done lately. True: they are on their way.
func (j *judge) wantKeys() bool {
	j.mutex.Lock()
	if j.fetching {
		j.mutex.Unlock()
		return true
	}
	elapsed := j.elapsed(j.clock())
	if elapsed < j.unknownKeyFrom {
		j.mutex.Unlock()
		return false
	}
	j.unknownKeyFrom = elapsed + unknownKeyPause
	j.fetching = true
	j.mutex.Unlock()
	j.fetchKeys()
	return true
}

func (j *judge) keysComing() bool {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.fetching
}

// beginFetch: a fetch of the keys begins; it ends with takeKeys, however often it must be tried.
func (j *judge) beginFetch() {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.fetching = true
}

// take takes a message of a stream in. It fails with streamBroken.
func (j *judge) take(stream *receivedStream, message *twofoldv1.WatchRevocationsResponse) error {
	now := j.clock()
	elapsed := j.elapsed(now)
	current, withdrawn, err := stream.take(message, elapsed, now)
	if err != nil {
		return err
	}
	if current {
		j.freshUntil.Store(int64(elapsed + j.silence))
	}
	if withdrawn {
		// In an emergency: what signs now may be known to nobody yet.
		j.fetchKeys()
	}
	return nil
}

// stop vouches for nobody any more.
func (j *judge) stop() {
	j.trust.Store(nil)
	j.freshUntil.Store(never)
}

func invalid(why string) *Error {
	return newError(ErrSessionEnded, codes.Unauthenticated, "SESSION_INVALID", "The access token is not valid: "+why+".")
}

func expired() *Error {
	return newError(ErrSessionExpired, codes.Unauthenticated, "SESSION_EXPIRED", "The access token has expired.")
}

func ended() *Error {
	return newError(ErrSessionEnded, codes.Unauthenticated, "SESSION_ENDED", "The session is over.")
}

func notReady(why string) *Error {
	return newError(ErrVerifierNotReady, codes.Unavailable, "", why)
}
