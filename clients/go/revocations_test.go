package twofold

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"twofold.example/go/internal/fake"
	twofoldv1 "twofold.example/go/v1"
)

func ofSession(id string, expires time.Time) *twofoldv1.Revocation {
	return &twofoldv1.Revocation{
		RealmId: fake.Realm, Kind: twofoldv1.RevocationKind_REVOCATION_KIND_SESSION, Subject: id,
		ExpireTime: timestamppb.New(expires),
	}
}

// What concerns no token any more is let go of, the longest leeway later; what was revoked again for longer stays.
func TestRevocationsAreForgottenOnceNoTokenIsLeft(t *testing.T) {
	now := time.Now()
	set := newRevocationSet(fake.Realm)
	for i := range 100 {
		set.add(ofSession(fmt.Sprint(i), now.Add(time.Minute)))
	}
	set.add(ofSession("7", now.Add(time.Hour)))
	set.add(ofSession("7", now.Add(time.Second)))
	set.add(&twofoldv1.Revocation{
		RealmId: fake.Realm, Kind: twofoldv1.RevocationKind_REVOCATION_KIND_REALM, Subject: fake.Realm,
	})
	set.forget(now.Add(time.Minute + keptOn - time.Second))
	if len(set.held) != 101 {
		t.Error(len(set.held), "are held")
	}
	set.forget(now.Add(time.Minute + keptOn))
	if len(set.held) != 2 || len(set.expires) != 2 || !set.has(twofoldv1.RevocationKind_REVOCATION_KIND_SESSION, "7") {
		t.Error(set.held)
	}
}

// A wall clock that jumps ahead makes nothing forgotten: the server's time counts too.
func TestAClockThatJumpsAheadMakesNothingForgotten(t *testing.T) {
	began := time.Now()
	held := newReceived(fake.Realm)
	stream := held.stream(time.Minute)
	for i, wall := range []time.Time{began, began.Add(1000 * time.Hour)} {
		elapsed := time.Duration(i) * time.Second
		current, _, err := stream.take(&twofoldv1.WatchRevocationsResponse{
			Reset_: i == 0, Current: true, ServerTime: timestamppb.New(began.Add(elapsed)), ResumeToken: "1",
			Revocations: []*twofoldv1.Revocation{ofSession(fmt.Sprint(i), began.Add(time.Minute))},
		}, elapsed, wall)
		if err != nil || !current {
			t.Fatal(current, err)
		}
	}
	if len(held.held.held) != 2 {
		t.Error(held.held.held)
	}
}

// A stream that was opened without a place and begins without a snapshot tells not all.
func TestAStreamMustBeginWithASnapshotOrWhereTheLastEnded(t *testing.T) {
	message := &twofoldv1.WatchRevocationsResponse{Current: true, ServerTime: timestamppb.Now(), ResumeToken: "1"}
	fresh := newReceived(fake.Realm)
	if _, _, err := fresh.stream(time.Minute).take(message, 0, time.Now()); err == nil {
		t.Error("it is believed")
	}
	resumed := newReceived(fake.Realm)
	resumed.resumeToken = "0"
	if current, _, err := resumed.stream(time.Minute).take(message, 0, time.Now()); err != nil || !current {
		t.Error(current, err)
	}
}

// A place within a snapshot that never became complete is not gone on from.
func TestNoPlaceIsKeptWithinASnapshot(t *testing.T) {
	held := newReceived(fake.Realm)
	_, _, err := held.stream(time.Minute).take(&twofoldv1.WatchRevocationsResponse{
		Reset_: true, ServerTime: timestamppb.Now(), ResumeToken: "1",
	}, 0, time.Now())
	if err != nil || held.resumeToken != "" {
		t.Error(held.resumeToken, err)
	}
}

// Keys that were fetched again and are the same leave what was verified with them remembered; others do not.
func TestTheSameKeysKeepWhatIsRemembered(t *testing.T) {
	j, _ := standing(t)
	minter := fake.NewMinter("key-2")
	for i, same := range []bool{false, true} {
		before := j.trust.Load()
		if err := j.takeKeys(fake.Keys(minter)); err != nil {
			t.Fatal(err)
		}
		if (j.trust.Load() == before) != same {
			t.Error(i, same)
		}
	}
	for name, bad := range map[string]*twofoldv1.GetSigningKeysResponse{
		"no issuer":        {Audiences: []string{fake.Audience}},
		"no audience":      {Issuer: fake.Issuer},
		"no point":         {Issuer: fake.Issuer, Audiences: []string{fake.Audience}, Keys: []*twofoldv1.SigningKey{{X: make([]byte, 32), Y: make([]byte, 32)}}},
		"no coordinates":   {Issuer: fake.Issuer, Audiences: []string{fake.Audience}, Keys: []*twofoldv1.SigningKey{{}}},
		"short coordinate": {Issuer: fake.Issuer, Audiences: []string{fake.Audience}, Keys: []*twofoldv1.SigningKey{{X: make([]byte, 31), Y: make([]byte, 33)}}},
	} {
		if err := j.takeKeys(bad); err == nil {
			t.Error(name, "is taken")
		}
	}
}
