// Package twofoldhttp protects net/http handlers: only requests with a good access token reach them.
package twofoldhttp

import (
	"errors"
	"net/http"

	twofold "twofold.example/go"
	"twofold.example/go/internal/bearer"
)

// Option changes what Protect asks for.
type Option func(*protection)

type protection struct {
	checker twofold.Checker
	aal     int
	open    map[string]bool
}

// MinimumAAL refuses sessions below this authenticator assurance level with 401: 2 asks for a second factor.
func MinimumAAL(level int) Option { return func(p *protection) { p.aal = level } }

// Open lets requests for exactly these URL paths through without a token, such as /healthz. They have no session.
func Open(paths ...string) Option {
	return func(p *protection) {
		for _, path := range paths {
			p.open[path] = true
		}
	}
}

// Protect makes middleware that lets a request through if its header `Authorization: Bearer` holds a good access token;
// the handler finds the session by twofold.SessionFromContext(request.Context()).
//
// Others get 401 with WWW-Authenticate (RFC 6750; below the assurance level insufficient_user_authentication, as in
// RFC 9470), or 503 while the verifier can't judge.
func Protect(checker twofold.Checker, options ...Option) func(http.Handler) http.Handler {
	p := &protection{checker: checker, open: map[string]bool{}}
	for _, option := range options {
		option(p)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
			// With an encoded slash in it a path may be another one to the router: /public%2Finfo is a {name} to ServeMux.
			if p.open[request.URL.Path] && request.URL.RawPath == "" {
				next.ServeHTTP(answer, request)
				return
			}
			token, several := bearer.Token(request.Header.Values("Authorization"))
			if several {
				refuse(answer, http.StatusUnauthorized, invalidToken("There is more than one authorization"), "more than one authorization")
				return
			}
			if token == "" {
				refuse(answer, http.StatusUnauthorized, "Bearer", "an access token is required")
				return
			}
			session, err := p.checker.Check(request.Context(), token)
			switch {
			case errors.Is(err, twofold.ErrSessionExpired):
				refuse(answer, http.StatusUnauthorized, invalidToken("The access token has expired"), "the access token has expired")
			case errors.Is(err, twofold.ErrSessionEnded):
				refuse(answer, http.StatusUnauthorized, invalidToken("The access token is not valid"), "the access token is not valid")
			case err != nil:
				answer.Header().Set("Retry-After", "1")
				refuse(answer, http.StatusServiceUnavailable, "", "the access token can't be checked now")
			case session.AAL < p.aal:
				refuse(answer, http.StatusUnauthorized,
					`Bearer error="insufficient_user_authentication", error_description="A second factor is required"`,
					"a second factor is required")
			default:
				next.ServeHTTP(answer, request.WithContext(twofold.ContextWithSession(request.Context(), session)))
			}
		})
	}
}

func invalidToken(why string) string {
	return `Bearer error="invalid_token", error_description="` + why + `"`
}

func refuse(answer http.ResponseWriter, status int, challenge, text string) {
	if challenge != "" {
		answer.Header().Set("WWW-Authenticate", challenge)
	}
	http.Error(answer, text, status)
}
