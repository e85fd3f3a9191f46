package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"

	"github.com/baton-handoff/baton/models"
)

const (
	// refreshAfter is how soon a key that the issuer has withdrawn is noticed.
	refreshAfter = 15 * time.Minute
	// trustFor is how long keys stay good while the issuer cannot be reached.
	trustFor = 24 * time.Hour
	// fetchPause is the least time between two attempts to fetch keys. Anybody
	// can make up tokens with unknown key ids.
	fetchPause   = 5 * time.Second
	fetchTimeout = 5 * time.Second
	maxDocument  = 1 << 20
	minRSABits   = 2048 // RFC 7518, section 3.3
)

// publicKey is a key of the issuer. Its algorithm is empty when the issuer
// does not bind it to one.
type publicKey struct {
	public    any
	algorithm string
}

// keySet has the keys of an issuer by key id. They are fetched when they are
// needed: one that is unknown makes the set look again, at a bounded rate.
type keySet struct {
	url    string // of the JWKS; discovered from issuer when empty
	issuer string
	client *http.Client
	now    func() time.Time
	log    *slog.Logger

	mu       sync.Mutex
	keys     map[string]publicKey
	fetched  time.Time     // when keys were fetched
	tried    time.Time     // when the last attempt began
	failed   error         // how the last attempt ended
	fetching chan struct{} // closed at the end of the attempt that is under way
}

// find returns the key with this id. It fails with [ReasonUnknownKey] when the
// issuer has none, and with [models.CodeUnavailable] when it could not be asked.
func (k *keySet) find(ctx context.Context, kid string) (key publicKey, err error) {
	err = k.look(ctx, func(keys map[string]publicKey) (found bool) {
		key, found = keys[kid]
		return found
	})
	return key, err
}

// ready reports whether any key is known.
func (k *keySet) ready(ctx context.Context) error {
	return k.look(ctx, func(keys map[string]publicKey) bool { return len(keys) > 0 })
}

// look calls found with the known keys, and, when that is false, again after
// an attempt to fetch them. Who is content does not wait for a refresh.
func (k *keySet) look(ctx context.Context, found func(map[string]publicKey) bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := k.now().Sub(k.fetched)
	ok := age < trustFor && found(k.keys)
	if (!ok || age >= refreshAfter) && k.fetching == nil && k.now().Sub(k.tried) >= fetchPause {
		k.tried = k.now()
		k.fetching = make(chan struct{})
		// The attempt outlives who caused it: others may wait for it too.
		go k.refresh(context.WithoutCancel(ctx), k.fetching)
	}
	if ok {
		return nil
	}
	if done := k.fetching; done != nil {
		k.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
		}
		k.mu.Lock()
		if ctx.Err() != nil {
			return k.unavailable(ctx.Err())
		}
	}
	switch {
	case k.failed == nil && found(k.keys):
		return nil
	case k.failed != nil:
		return k.unavailable(k.failed)
	}
	return ReasonUnknownKey
}

func (k *keySet) unavailable(cause error) error {
	err := models.Errorf(models.CodeUnavailable, "The keys of the token's issuer cannot be fetched at the moment.").WithCause(cause)
	err.RetryAfter = fetchPause
	return err
}

func (k *keySet) refresh(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	keys, err := k.fetch(ctx)
	if err != nil {
		k.log.WarnContext(ctx, "The keys of the token issuer cannot be fetched.", "error", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failed, k.fetching = err, nil
	if err == nil {
		k.keys, k.fetched = keys, k.now()
	}
	close(done)
}

func (k *keySet) fetch(ctx context.Context) (map[string]publicKey, error) {
	from := k.url
	if from == "" {
		var err error
		if from, err = k.discover(ctx); err != nil {
			return nil, err
		}
	}
	var document jwkset.JWKSMarshal
	if err := k.get(ctx, from, &document); err != nil {
		return nil, err
	}
	keys := make(map[string]publicKey, len(document.Keys))
	for _, j := range document.Keys {
		if j.USE == jwkset.UseEnc {
			continue
		}
		key, err := readKey(j)
		if err != nil {
			k.log.WarnContext(ctx, "A key of the token issuer is left out.", "kid", j.KID, "error", err)
			continue
		}
		keys[j.KID] = key
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s has no usable key", from)
	}
	return keys, nil
}

// readKey takes the members that make a public key and no others: certificates
// beside it prove nothing more than the connection it came by.
func readKey(j jwkset.JWKMarshal) (publicKey, error) {
	if j.KID == "" {
		return publicKey{}, fmt.Errorf("it has no kid")
	}
	bare := jwkset.JWKMarshal{KTY: j.KTY, CRV: j.CRV, X: j.X, Y: j.Y, N: j.N, E: j.E}
	jwk, err := jwkset.NewJWKFromMarshal(bare, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return publicKey{}, err
	}
	switch key := jwk.Key().(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSABits {
			return publicKey{}, fmt.Errorf("it is an RSA key of %d bits, at least %d are needed", key.N.BitLen(), minRSABits)
		}
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return publicKey{}, fmt.Errorf("it is on the curve %s, only P-256 is supported", j.CRV)
		}
	case ed25519.PublicKey:
	default:
		return publicKey{}, fmt.Errorf("its type %q is not supported", j.KTY)
	}
	return publicKey{public: jwk.Key(), algorithm: j.ALG.String()}, nil
}

// discover asks the issuer where its keys are (OpenID Connect Discovery 1.0,
// section 4).
func (k *keySet) discover(ctx context.Context) (string, error) {
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	from := strings.TrimSuffix(k.issuer, "/") + "/.well-known/openid-configuration"
	if err := k.get(ctx, from, &document); err != nil {
		return "", err
	}
	if document.Issuer != k.issuer {
		return "", fmt.Errorf("%s is of the issuer %q, not of %q", from, document.Issuer, k.issuer)
	}
	uri, err := url.Parse(document.JWKSURI)
	secure := strings.HasPrefix(k.issuer, "https://")
	if err != nil || uri.Host == "" || uri.Scheme != "https" && (secure || uri.Scheme != "http") {
		return "", fmt.Errorf("%s has no usable jwks_uri: %q", from, document.JWKSURI)
	}
	return document.JWKSURI, nil
}

func (k *keySet) get(ctx context.Context, from string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := k.client.Do(req)
	if err != nil {
		return fmt.Errorf("fetching keys: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // nothing was written
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", from, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxDocument)).Decode(into); err != nil {
		return fmt.Errorf("reading %s: %w", from, err)
	}
	return nil
}
