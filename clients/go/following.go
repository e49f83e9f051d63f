package twofold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	twofoldv1 "twofold.example/go/v1"
)

func (v *Verifier) wantKeys() {
	select {
	case v.wanted <- struct{}{}:
	default: // It is wanted already.
	}
}

// keepKeys fetches the signing keys now, when one is wanted, and every five minutes.
func (v *Verifier) keepKeys() {
	request := &twofoldv1.GetSigningKeysRequest{RealmId: v.settings.realmID}
	for {
		select {
		case <-v.wanted:
		default:
		}
		v.judge.beginFetch()
		response, err := v.client.Sessions.GetSigningKeys(v.context, request)
		if err == nil {
			if misfit := v.judge.takeKeys(response); misfit != nil {
				err = unfit{misfit}
			}
		}
		if v.context.Err() != nil {
			return
		}
		if err != nil {
			pause := v.keys.failure(err)
			v.tell()
			if !sleep(v.context, pause) {
				return
			}
			continue
		}
		v.keys.succeeded()
		v.tell()
		timer := time.NewTimer(v.keysEvery)
		select {
		case <-v.wanted:
		case <-timer.C:
		case <-v.context.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// keepWatching follows the revocations, stream after stream.
//
// Over a connection of its own, given up as soon as it is silent: a dead one would be found out much later.
func (v *Verifier) keepWatching() {
	var client *Client
	defer func() {
		if client != nil {
			_ = client.Close()
		}
	}()
	for {
		var err error
		if client == nil {
			client, err = newClient(v.settings.connection)
		}
		if err == nil {
			err = v.watch(client)
		}
		if v.context.Err() != nil {
			return
		}
		var refused *Error
		if client != nil && !errors.As(err, &refused) {
			_ = client.Close()
			client = nil
		}
		pause := v.stream.failure(err)
		v.tell()
		if !sleep(v.context, pause) {
			return
		}
	}
}

// watch follows one stream to its end, and says why it ended.
func (v *Verifier) watch(client *Client) error {
	ctx, cancel := context.WithCancel(v.context)
	defer cancel()
	silence := v.settings.silence
	var silent atomic.Bool
	alarm := time.AfterFunc(silence, func() {
		silent.Store(true)
		cancel()
	})
	defer alarm.Stop()
	received := v.judge.received.stream(silence)
	stream, err := client.Sessions.WatchRevocations(ctx, &twofoldv1.WatchRevocationsRequest{
		RealmId: v.settings.realmID, ResumeToken: v.judge.received.resumeToken,
	})
	for err == nil {
		var message *twofoldv1.WatchRevocationsResponse
		if message, err = stream.Recv(); err != nil {
			break
		}
		alarm.Reset(silence)
		if err = v.judge.take(received, message); err != nil {
			break
		}
		if received.told && v.stream.last() != nil {
			v.stream.succeeded()
		}
		v.tell()
	}
	switch {
	case silent.Load():
		return streamBroken(fmt.Sprintf("nothing was heard for %v", silence))
	case errors.Is(err, io.EOF):
		return streamBroken("it ended")
	}
	return err
}
