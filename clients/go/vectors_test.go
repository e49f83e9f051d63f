package twofold

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	twofoldv1 "twofold.example/go/v1"
)

type realmVectors struct {
	RealmID  string `json:"realm_id"`
	Issuer   string
	Audience string
	Now      int64
	Keys     []struct{ Kid, X, Y string }
}

func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	content, err := os.ReadFile("../vectors/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatal(err)
	}
}

func (r realmVectors) signingKeys(t *testing.T) *twofoldv1.GetSigningKeysResponse {
	t.Helper()
	response := &twofoldv1.GetSigningKeysResponse{Issuer: r.Issuer, Audiences: []string{r.Audience}}
	for _, key := range r.Keys {
		x, errX := base64.RawURLEncoding.DecodeString(key.X)
		y, errY := base64.RawURLEncoding.DecodeString(key.Y)
		if err := errors.Join(errX, errY); err != nil {
			t.Fatal(err)
		}
		response.Keys = append(response.Keys, &twofoldv1.SigningKey{KeyId: key.Kid, X: x, Y: y})
	}
	return response
}

// judge gives one whose clock stands still, with the keys of the vectors.
func (r realmVectors) judge(t *testing.T, leeway time.Duration) *judge {
	t.Helper()
	settings := verification{
		realmID: r.RealmID, audience: r.Audience, leeway: leeway, silence: 5 * time.Second, cacheSize: 64,
		clock: func() time.Time { return time.Unix(r.Now, 0) },
	}
	made := newJudge(&settings, func() {})
	if err := made.takeKeys(r.signingKeys(t)); err != nil {
		t.Fatal(err)
	}
	return made
}

func watched(t *testing.T, j *judge, stream *receivedStream, message string) {
	t.Helper()
	parsed := &twofoldv1.WatchRevocationsResponse{}
	if err := protojson.Unmarshal([]byte(message), parsed); err != nil {
		t.Fatal(err)
	}
	if err := j.take(stream, parsed); err != nil {
		t.Fatal(err)
	}
}

// What every client takes for good and refuses, and by which reason: the first time, and from the cache.
func TestAccessTokensOfTheVectors(t *testing.T) {
	var vectors struct {
		realmVectors
		Cases []struct {
			Name, Token, Expect string
			LeewaySeconds       float64 `json:"leeway_seconds"`
			Claims              map[string]any
		}
	}
	readVectors(t, "access_tokens.json", &vectors)
	if len(vectors.Cases) < 100 {
		t.Fatalf("only %d cases", len(vectors.Cases))
	}
	for _, one := range vectors.Cases {
		t.Run(one.Name, func(t *testing.T) {
			j := vectors.judge(t, time.Duration(one.LeewaySeconds*float64(time.Second)))
			watched(t, j, j.received.stream(j.silence), `{"reset": true, "current": true, "serverTime": "2026-03-01T12:00:00Z"}`)
			// Else an unknown key would be on its way.
			j.unknownKeyFrom = time.Hour
			for range 2 {
				session, err := j.verify(one.Token)
				if one.Expect == "ok" {
					if err != nil {
						t.Fatal(err)
					}
					requireClaims(t, session, one.Claims)
					continue
				}
				var refused *Error
				if !errors.As(err, &refused) || refused.Reason != one.Expect {
					t.Fatalf("%v, not %s", err, one.Expect)
				}
				if errors.Is(err, ErrSessionExpired) != (one.Expect == "SESSION_EXPIRED") || !errors.Is(err, ErrSessionEnded) {
					t.Fatalf("kind %v", refused.Kind)
				}
			}
		})
	}
}

func requireClaims(t *testing.T, session VerifiedSession, claims map[string]any) {
	t.Helper()
	second := float64(0)
	if !session.SecondFactorTime.IsZero() {
		second = float64(session.SecondFactorTime.Unix())
	}
	wantSecond, _ := claims["second_factor_time"].(float64)
	same := session.AccountID == claims["sub"] && session.SessionID == claims["sid"] &&
		session.Audience == claims["aud"] && session.ClientID == claims["client_id"] && session.RealmID == "default" &&
		float64(session.Epoch) == claims["epoch"] && float64(session.AAL) == claims["aal"] &&
		float64(session.AuthTime.Unix()) == claims["auth_time"] && second == wantSecond &&
		float64(session.ExpireTime.Unix()) == claims["exp"]
	if !same {
		t.Errorf("%+v, not %v", session, claims)
	}
	if methods, _ := claims["amr"].([]any); len(methods) != len(session.AMR()) {
		t.Errorf("amr %v, not %v", session.AMR(), methods)
	}
}

// After each message of the streams exactly the tokens that are revoked are refused, and nobody is vouched for early.
func TestRevocationsOfTheVectors(t *testing.T) {
	var vectors struct {
		realmVectors
		Tokens map[string]string
		Steps  []struct {
			Name    string
			Resumed *bool
			Message json.RawMessage
			Ready   bool
			Dead    []string
		}
	}
	readVectors(t, "revocations.json", &vectors)
	if len(vectors.Steps) < 10 || len(vectors.Tokens) < 3 {
		t.Fatal("the vectors are not all there")
	}
	j := vectors.judge(t, 0)
	var stream *receivedStream
	for _, step := range vectors.Steps {
		if step.Resumed != nil {
			if resumes := j.received.resumeToken != ""; resumes != *step.Resumed {
				t.Fatalf("%s: resumed %t", step.Name, resumes)
			}
			stream = j.received.stream(j.silence)
		}
		watched(t, j, stream, string(step.Message))
		for name, token := range vectors.Tokens {
			_, err := j.verify(token)
			want := ""
			switch {
			case slices.Contains(step.Dead, name):
				want = "SESSION_ENDED"
			case !step.Ready:
				want = string(ErrVerifierNotReady)
			}
			var refused *Error
			got := ""
			if errors.As(err, &refused) {
				got = refused.Reason
				if got == "" {
					got = string(refused.Kind)
				}
			}
			if got != want {
				t.Errorf("%s: %s gets %q, not %q", step.Name, name, got, want)
			}
		}
	}
}
