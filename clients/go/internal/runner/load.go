package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	twofold "twofold.example/go"
	twofoldv1 "twofold.example/go/v1"
)

const workers = 16

// chain is a session, whose tokens each refresh replaces.
type chain struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
}

// tally counts calls and what failed.
type tally struct {
	mutex  sync.Mutex
	calls  int
	failed int
	errors map[string]int
}

func (t *tally) count(err error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.calls++
	if err == nil {
		return
	}
	t.failed++
	name := err.Error()
	var refused *twofold.Error
	if errors.As(err, &refused) {
		if name = refused.Reason; name == "" {
			name = codeName(refused)
		}
	}
	t.errors[name]++
}

// load calls as hard as 16 goroutines can, each with a session of its own, for variables.seconds.
func load(ctx context.Context, config *config) error {
	var given struct {
		Seconds  float64 `json:"seconds"`
		Sessions []chain `json:"sessions"`
	}
	written, err := json.Marshal(config.Variables)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(written, &given); err != nil {
		return err
	}
	if given.Seconds <= 0 || len(given.Sessions) < workers {
		return fmt.Errorf("load needs variables.seconds and %d variables.sessions, one for each goroutine", workers)
	}
	client, err := config.client()
	if err != nil {
		return err
	}
	defer client.Close()
	ends := time.Now().Add(time.Duration(given.Seconds * float64(time.Second)))
	counted := &tally{errors: map[string]int{}}
	var running sync.WaitGroup
	for i := range workers {
		running.Go(func() {
			session := given.Sessions[i]
			for time.Now().Before(ends) && ctx.Err() == nil {
				// Not with ctx: what a signal breaks off has not failed.
				session.round(context.Background(), client, config, counted)
			}
		})
	}
	running.Wait()
	return say(map[string]any{"calls": counted.calls, "failed": counted.failed, "errors": counted.errors})
}

// round makes one of each call.
func (c *chain) round(ctx context.Context, client *twofold.Client, config *config, counted *tally) {
	_, err := client.Sessions.CheckSession(ctx, &twofoldv1.CheckSessionRequest{
		RealmId: config.RealmID, Audience: config.Audience,
	}, twofold.WithSession(c.AccessToken))
	counted.count(err)
	_, err = client.Accounts.GetAccount(ctx, &twofoldv1.GetAccountRequest{}, twofold.WithSession(c.AccessToken))
	counted.count(err)
	refreshed, err := client.Sessions.RefreshSession(ctx, &twofoldv1.RefreshSessionRequest{RefreshToken: c.RefreshToken})
	counted.count(err)
	if err == nil {
		c.AccessToken = refreshed.GetTokens().GetAccessToken()
		c.RefreshToken = refreshed.GetTokens().GetRefreshToken()
	}
}
