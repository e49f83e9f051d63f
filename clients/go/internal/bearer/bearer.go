// Package bearer finds the access token of a request (RFC 6750 section 2.1), over HTTP and gRPC alike.
package bearer

import "strings"

// Token gives the token of a request's authorization headers; empty where there is none. several: there is more than one
// header, and readers differ in which of two counts.
func Token(headers []string) (token string, several bool) {
	if len(headers) != 1 {
		return "", len(headers) > 1
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimLeft(token, " "), false
}
