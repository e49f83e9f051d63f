package twofold

import (
	"errors"
	"log/slog"
	"sync"
	"time"
)

// unfit: what the server has makes no sense for this verifier, and waiting does not mend it.
type unfit struct{ error }

func (u unfit) Unwrap() error { return u.error }

// tries are the tries to do one thing: how long to wait before the next, and the last failure.
type tries struct {
	what   string
	logger *slog.Logger

	mutex  sync.Mutex
	failed int
	err    error
}

// succeeded forgets what failed before.
func (t *tries) succeeded() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.failed > 1 {
		t.logger.Info("twofold: well again", "what", t.what)
	}
	t.failed, t.err = 0, nil
}

// failure notes a failure and gives the time to wait: none where a server only asked to be left, else with jitter.
func (t *tries) failure(err error) time.Duration {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.failed++
	t.err = err
	if t.failed == 1 && reasonOf(err) == notBegun {
		t.logger.Debug("twofold: the server is stopping", "what", t.what)
		return 0
	}
	longest := min(firstPause<<min(t.failed-1, 8), longestPause)
	var refused *Error
	if errors.As(err, &refused) {
		if asked, has := refused.RetryAfter(); has {
			longest = max(longest, min(asked, longestPause))
		}
	}
	pause := jittered(longest, 0.5, 1.0)
	// The first of a row is nothing unusual: connections end by age.
	log := t.logger.Debug
	if t.failed == 2 {
		log = t.logger.Warn
	}
	log("twofold: failed, trying again", "what", t.what, "error", err.Error(), "wait", pause)
	return pause
}

// last gives the last failure; nil once a try has succeeded.
func (t *tries) last() error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.err
}

// refusal gives the last failure, if it is one that waiting does not mend.
func (t *tries) refusal() error {
	err := t.last()
	var misfit unfit
	if errors.As(err, &misfit) {
		return misfit.error
	}
	var refused *Error
	if !errors.As(err, &refused) {
		return nil
	}
	for _, passing := range []Kind{ErrUnavailable, ErrDeadlineExceeded, ErrInternal, ErrResourceExhausted, ErrCanceled} {
		if errors.Is(refused, passing) {
			return nil
		}
	}
	return refused
}
