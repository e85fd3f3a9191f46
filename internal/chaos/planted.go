package chaos

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"regexp"
)

// Planted secrets are what people type into sessions, notes and resolutions
// though they should not. Each is unique, and holds a core by which it is found
// wherever it went, also when only a part of it was taken out. It is made from a
// text, so that a request that is repeated says the same again.

var (
	plantedCore = regexp.MustCompile(`Zx7[A-Z2-7]{8}`)
	// plantedWhole is all of it, for what is written down.
	plantedWhole = regexp.MustCompile(`(ghp_)?Zx7[A-Z2-7]{8}[A-Za-z0-9]*!?`)
)

// plantedForms are the ways in which people give secrets away.
var plantedForms = []struct{ what, sentence, before, after string }{
	{"password", "The password is %s", "", "!"},
	{"login", "Signed in as admin / %s on the console.", "", "!"},
	{"pw", "Local admin pw: %s", "", "!"},
	{"net user", "net user bob %s /add", "", "!"},
	{"token", "The script uses %s", "ghp_", "ABCDEFGHIJKLMNOPQ23456789"},
	{"Wi-Fi key", "Wi-Fi key: %s", "", ""},
	{"bearer token", `curl -H "Authorization: Bearer %s" https://api.larch.example/v1/status`, "", "kd93kf"},
	{"connection string", "Server=sql01;Database=erp;User Id=sa;Password=%s;", "", ""},
}

// planted is a sentence that gives a secret away, kept as one.
func (s *secrets) planted(seed, where string) (sentence, secret string) {
	sum := sha256.Sum256([]byte(seed))
	letters := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])
	form := plantedForms[int(sum[31])%len(plantedForms)]
	core := "Zx7" + letters[:8]
	secret = form.before + core + form.after
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cores[core] = fmt.Sprintf("the %s that was planted in %s", form.what, where)
	return fmt.Sprintf(form.sentence, secret), secret
}

// masked is a text without what was planted in it.
func masked(text string) string { return plantedWhole.ReplaceAllString(text, "…") }

// searchPlanted looks for what was planted. The caller holds the lock.
func (s *secrets) searchPlanted(where string, text []byte) {
	for _, core := range plantedCore.FindAll(text, -1) {
		if what, ok := s.cores[string(core)]; ok {
			s.found[where+" holds "+what] = true
		}
	}
}
