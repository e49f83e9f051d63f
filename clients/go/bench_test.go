package twofold

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"twofold.example/go/internal/fake"
)

// standing gives a judge that has heard all for an hour, and a token that is good.
func standing(b testing.TB) (*judge, string) {
	b.Helper()
	minter := fake.NewMinter("key-1")
	settings := verification{
		realmID: fake.Realm, audience: fake.Audience, silence: time.Hour, cacheSize: 32_768, clock: time.Now,
	}
	j := newJudge(&settings, func() {})
	if err := j.takeKeys(fake.Keys(minter)); err != nil {
		b.Fatal(err)
	}
	j.freshUntil.Store(int64(time.Hour))
	return j, minter.Token(nil)
}

func BenchmarkSeen(b *testing.B) {
	j, token := standing(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := j.verify(token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHashAndMap(b *testing.B) {
	_, token := standing(b)
	known := map[[sha256.Size]byte]bool{sha256.Sum256([]byte(token)): true}
	for b.Loop() {
		if !known[sha256.Sum256([]byte(token))] {
			b.Fatal("lost")
		}
	}
}

func BenchmarkNew(b *testing.B) {
	j, token := standing(b)
	trust, now := j.trust.Load(), time.Now()
	for b.Loop() {
		if _, _, _, err := readToken(token, trust.keys, &trust.expect, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRawP256(b *testing.B) {
	minter := fake.NewMinter("key-1")
	digest := sha256.Sum256([]byte("signed"))
	signature, err := ecdsa.SignASN1(rand.Reader, minter.Key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !ecdsa.VerifyASN1(&minter.Key.PublicKey, digest[:], signature) {
			b.Fatal("refused")
		}
	}
}
