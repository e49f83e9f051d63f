package twofold

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// lines collects what is logged.
type lines struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *lines) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(line)
}

func (l *lines) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// A repeat is logged with method, code and wait, and with nothing that is secret.
func TestRepeatsAreLoggedWithoutSecrets(t *testing.T) {
	var logged lines
	client, _ := served(t, []ClientOption{WithLogger(logged.logger()), WithCredential("credential-hunter2")},
		failing(status.Error(codes.Unavailable, "text-hunter2")))
	if err := getAccount(client, WithSession("session-hunter2")); err != nil {
		t.Fatal(err)
	}
	text := logged.String()
	if !strings.Contains(text, "GetAccount") || !strings.Contains(text, "UNAVAILABLE") || strings.Contains(text, "hunter2") {
		t.Error(text)
	}
}

// The first failure of a row is no news, the second is, and so is the end of it.
func TestFailuresInARowAreWarnedOfOnce(t *testing.T) {
	var logged lines
	row := tries{what: "revocations", logger: logged.logger()}
	for range 4 {
		if pause := row.failure(errors.New("gone")); pause <= 0 || pause > longestPause {
			t.Error(pause)
		}
	}
	row.succeeded()
	if text := logged.String(); strings.Count(text, "WARN") != 1 || strings.Count(text, "DEBUG") != 3 || strings.Count(text, "INFO") != 1 {
		t.Error(text)
	}
	if row.failure(errorFrom(refusalOf(t, codes.Unavailable, "", reason("SERVER_DRAINING")), nil)) != 0 {
		t.Error("it waits though the server only asked to be left")
	}
}
