// Package bearer finds the access token of a request (RFC 6750 section 2.1), over HTTP and gRPC alike.
package bearer

import "strings"

// Token gives the token of a request's authorization headers; empty where there is none, or more than one header:
// of two, readers differ in which one counts.
func Token(headers []string) string {
	if len(headers) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimLeft(token, " ")
}
