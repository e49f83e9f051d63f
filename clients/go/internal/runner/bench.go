package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"time"

	twofold "twofold.example/go"
	"twofold.example/go/internal/fake"
)

const (
	// As many tokens as are asked for by turns.
	seenTokens = 256
	batch      = 512
)

// bench measures checks per second of one core's own time, so that what else runs on the machine hardly shows.
func bench(ctx context.Context, _ *config) error {
	runtime.GOMAXPROCS(1)
	minter := fake.NewMinter("key-1")
	verifier, stop, err := benchVerifier(ctx, minter)
	if err != nil {
		return err
	}
	defer stop()
	rates := map[string]float64{}
	digest := sha256.Sum256([]byte("signed"))
	signature, err := ecdsa.SignASN1(rand.Reader, minter.Key, digest[:])
	if err != nil {
		return err
	}
	rates["raw_p256"] = rate(nil, func(int) bool {
		return ecdsa.VerifyASN1(&minter.Key.PublicKey, digest[:], signature)
	})
	serial := 0
	mint := func(tokens []string) {
		for i := range tokens {
			serial++
			tokens[i] = minter.Token(map[string]any{"sid": fmt.Sprintf("019cbf00-0000-7000-8000-%012x", serial)})
		}
	}
	verify := func(token string) bool {
		_, err := verifier.Verify(token)
		return err == nil
	}
	fresh := make([]string, batch)
	rates["new"] = rate(func() { mint(fresh) }, func(i int) bool { return verify(fresh[i]) })
	seen := make([]string, seenTokens)
	mint(seen)
	held := map[[sha256.Size]byte]bool{}
	raw := make([][]byte, seenTokens)
	for i, token := range seen {
		raw[i] = []byte(token)
		held[sha256.Sum256(raw[i])] = verify(token)
	}
	rates["hash_and_map"] = rate(nil, func(i int) bool { return held[sha256.Sum256(raw[i%seenTokens])] })
	rates["seen"] = rate(nil, func(i int) bool { return verify(seen[i%seenTokens]) })
	for name, one := range rates {
		if one == 0 {
			return errors.New(name + " failed")
		}
	}
	return say(rates)
}

// benchVerifier starts a verifier over a service in this process, which a heartbeat each second keeps ready.
func benchVerifier(ctx context.Context, minter *fake.Minter) (*twofold.Verifier, func(), error) {
	service := fake.NewService(minter)
	address, stop, err := service.Serve()
	if err != nil {
		return nil, nil, err
	}
	go func() {
		stream := <-service.Opened
		stream.Snapshot("1.1")
		for stream.Context.Err() == nil {
			time.Sleep(time.Second)
			stream.Revoke("1.1")
		}
	}()
	verifier, err := twofold.StartVerifier(
		ctx, address, fake.Realm, fake.Audience, twofold.WithSilence(time.Minute), twofold.WithDeadline(time.Minute))
	if err != nil {
		stop()
		return nil, nil, err
	}
	return verifier, func() {
		_ = verifier.Close()
		stop()
	}, nil
}

// rate gives how often a second's worth of one core does what is measured; 0 if that fails. prepare is not measured.
func rate(prepare func(), measured func(i int) bool) float64 {
	var spent time.Duration
	done := 0
	for spent < time.Second {
		if prepare != nil {
			prepare()
		}
		began := processorTime()
		for i := range batch {
			if !measured(i) {
				return 0
			}
		}
		spent += processorTime() - began
		done += batch
	}
	return float64(done) / spent.Seconds()
}
