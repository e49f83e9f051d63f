package twofoldhttp_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	twofold "twofold.example/go"
	"twofold.example/go/twofoldhttp"
)

// checker knows tokens by name.
type checker struct{}

func (checker) Check(_ context.Context, token string) (twofold.VerifiedSession, error) {
	session := twofold.VerifiedSession{AccountID: "ada", AAL: 1}
	switch token {
	case "one":
		return session, nil
	case "two":
		session.AAL = 2
		return session, nil
	case "expired":
		return twofold.VerifiedSession{}, &twofold.Error{Kind: twofold.ErrSessionExpired}
	case "silent":
		return twofold.VerifiedSession{}, &twofold.Error{Kind: twofold.ErrVerifierNotReady}
	case "our-own-credential-is-wrong":
		return twofold.VerifiedSession{}, &twofold.Error{Kind: twofold.ErrUnauthenticated, Reason: "CALLER_UNKNOWN"}
	case "broken":
		return twofold.VerifiedSession{}, errors.New("broken")
	}
	return twofold.VerifiedSession{}, &twofold.Error{Kind: twofold.ErrSessionEnded}
}

func whoami(answer http.ResponseWriter, request *http.Request) {
	session, found := twofold.SessionFromContext(request.Context())
	fmt.Fprint(answer, session.AccountID, found)
}

// What each request gets, and how it is challenged.
func TestProtect(t *testing.T) {
	const invalid = `Bearer error="invalid_token", error_description="The access token is not valid"`
	const several = `Bearer error="invalid_token", error_description="There is more than one authorization"`
	const expired = `Bearer error="invalid_token", error_description="The access token has expired"`
	const weak = `Bearer error="insufficient_user_authentication", error_description="A second factor is required"`
	handler := twofoldhttp.Protect(checker{}, twofoldhttp.MinimumAAL(2), twofoldhttp.Open("/healthz"))(http.HandlerFunc(whoami))
	for name, one := range map[string]struct {
		path      string
		headers   []string
		status    int
		challenge string
		body      string
	}{
		"a good token":              {"/", []string{"Bearer two"}, 200, "", "adatrue"},
		"the scheme in other case":  {"/", []string{"bEARER two"}, 200, "", "adatrue"},
		"no token":                  {"/", nil, 401, "Bearer", ""},
		"another scheme":            {"/", []string{"Basic dHdv"}, 401, "Bearer", ""},
		"nothing after the scheme":  {"/", []string{"Bearer "}, 401, "Bearer", ""},
		"no scheme":                 {"/", []string{"two"}, 401, "Bearer", ""},
		"two headers":               {"/", []string{"Bearer two", "Bearer two"}, 401, several, ""},
		"two tokens in one":         {"/", []string{"Bearer two, Bearer two"}, 401, invalid, ""},
		"a bad token":               {"/", []string{"Bearer forged"}, 401, invalid, ""},
		"an expired token":          {"/", []string{"Bearer expired"}, 401, expired, ""},
		"a password alone":          {"/", []string{"Bearer one"}, 401, weak, ""},
		"a verifier not ready":      {"/", []string{"Bearer silent"}, 503, "", ""},
		"a verifier misconfigured":  {"/", []string{"Bearer our-own-credential-is-wrong"}, 503, "", ""},
		"any other failure":         {"/", []string{"Bearer broken"}, 503, "", ""},
		"an open path":              {"/healthz", nil, 200, "", "false"},
		"an open path, a bad token": {"/healthz", []string{"Bearer forged"}, 200, "", "false"},
		"below an open path":        {"/healthz/deep", nil, 401, "Bearer", ""},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodGet, one.path, nil)
			request.Header["Authorization"] = one.headers
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, request)
			if answer.Code != one.status || answer.Header().Get("WWW-Authenticate") != one.challenge {
				t.Error(answer.Code, answer.Header())
			}
			if one.body != "" && answer.Body.String() != one.body {
				t.Error(answer.Body)
			}
			if (answer.Header().Get("Retry-After") != "") != (one.status == 503) {
				t.Error(answer.Header())
			}
		})
	}
}

// A path is open as it is routed: to ServeMux an encoded slash is part of a name.
func TestAnEncodedSlashOpensNothing(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/public/info", whoami)
	mux.HandleFunc("/{tenant}", whoami)
	handler := twofoldhttp.Protect(checker{}, twofoldhttp.Open("/public/info"))(mux)
	for path, status := range map[string]int{"/public/info": 200, "/public%2Finfo": 401, "/public%2finfo": 401} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if answer.Code != status {
			t.Error(path, answer.Code)
		}
	}
}

func ExampleProtect() {
	verifier, err := twofold.StartVerifier(context.Background(), "127.0.0.1:50051", "default", "twofold")
	if err != nil {
		log.Fatal(err)
	}
	defer verifier.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /whoami", func(answer http.ResponseWriter, request *http.Request) {
		session, _ := twofold.SessionFromContext(request.Context())
		fmt.Fprintln(answer, session.AccountID)
	})
	protect := twofoldhttp.Protect(verifier, twofoldhttp.Open("/healthz"))
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", protect(mux)))
}
