package twofold

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
	"time"

	twofoldv1 "twofold.example/go/v1"
)

// minter signs access tokens as the service does.
type minter struct {
	kid string
	key *ecdsa.PrivateKey
}

func newMinter(t testing.TB) *minter {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &minter{kid: "key-1", key: key}
}

func (m *minter) signingKey(t testing.TB) *twofoldv1.SigningKey {
	t.Helper()
	point, err := m.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return &twofoldv1.SigningKey{KeyId: m.kid, X: point[1:33], Y: point[33:]}
}

func (m *minter) keys(t testing.TB) *twofoldv1.GetSigningKeysResponse {
	t.Helper()
	return &twofoldv1.GetSigningKeysResponse{
		Issuer: "https://auth.example.com/default", Audiences: []string{"billing"},
		Keys: []*twofoldv1.SigningKey{m.signingKey(t)},
	}
}

const (
	adasAccount = "019cbf00-0000-7000-8000-0000000000a0"
	adasSession = "019cbf00-0000-7000-8000-0000000000a1"
)

// token gives one of ada's that is good for five minutes, with some claims changed.
func (m *minter) token(t testing.TB, changed map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": "https://auth.example.com/default", "sub": adasAccount, "aud": "billing", "client_id": "web",
		"jti": "019cbf00-0000-7000-8000-00000000000b", "sid": adasSession, "epoch": 1,
		"amr": []string{"pwd", "otp", "mfa"}, "aal": 2, "iat": now, "exp": now + 300, "auth_time": now,
		"second_factor_time": now,
	}
	maps.Copy(claims, changed)
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"`+m.kid+`"}`)) + "." + encode(payload)
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, m.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, signatureBytes)
	r.FillBytes(signature[:coordinateBytes])
	s.FillBytes(signature[coordinateBytes:])
	return text + "." + encode(signature)
}
