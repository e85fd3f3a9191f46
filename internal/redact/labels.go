package redact

import (
	"regexp"
	"slices"
	"strings"
)

// label is a word after which people write a secret.
type label struct {
	id    string
	words []string
	inner bool // it may end a longer name, as in db_password or adminPassword
	kind  kind
}

// kind is what a label promises, and so what is believed of a value.
type kind int

const (
	// password: anything that is not a word of a sentence.
	password kind = iota
	// token: machine-made, letters and digits.
	token
	// pin: digits.
	pin
	// seed: base32.
	seed
	// account: a name, and the password behind a slash or a colon.
	account
)

func labels() []label {
	return []label{
		{"password", []string{"password", "passwd", "passwort", "kennwort", "contrase\u00f1a", "contrasena", "mot de passe", "wachtwoord", "passphrase", "passcode", "pwd", "admpwd", "passhash"}, true, password},
		{"password", []string{"pw", "pass", "passw", "p/w", "temporary access pass", "mdp", "clave", "pswd"}, false, password},
		{"credentials", []string{"creds", "credentials", "login", "logon", "log in", "cred"}, false, account},
		{"wifi-key", []string{"psk", "pre-shared key", "preshared key", "pre shared key", "presharedkey", "wifi key", "wi-fi key", "wifi pass", "wlan key", "wireless key", "wpa key", "wpa2 key", "wpa3 key", "wpa2-key", "network key", "key content", "keymaterial", "wpa_passphrase", "network security key"}, true, password},
		{"shared-secret", []string{"shared secret", "shared-secret", "sharedsecret", "radius secret", "radius key"}, true, password},
		{"snmp-community", []string{"community string", "snmp community", "community name", "snmp string", "read community", "write community", "ro community", "rw community", "v2c community", "community"}, false, password},
		{"api-key", []string{"api key", "api-key", "api_key", "apikey", "access key", "access_key", "accesskey", "access-key", "secret key", "secret_key", "secretkey", "secret-key", "accountkey", "account key", "account_key", "sharedaccesskey", "shared access key", "signing key", "encryption key", "encryption_key", "auth key", "authkey", "storage key", "function key", "tailscale key", "private key", "integration key", "site key", "agent key", "deployment key", "enrollment key", "installer key", "master key", "session key", "app key", "public key"}, true, token},
		{"secret", []string{"client secret", "client_secret", "client-secret", "clientsecret", "app secret", "app_secret", "appsecret", "application secret", "secret value", "webhook secret", "consumer secret", "secret"}, true, token},
		{"token", []string{"token", "bearer", "jeton"}, true, token},
		{"licence-key", []string{"license key", "licence key", "product key", "activation key", "activation code", "serial key", "licensekey", "cd key", "license code", "registration key", "auth code", "authorization code"}, true, token},
		{"recovery-key", []string{"recovery key", "recovery_key", "filevault key", "recovery password", "rescue key", "unlock key", "decryption key"}, true, token},
		{"totp-seed", []string{"totp", "totp seed", "totp secret", "totp key", "otp secret", "otp seed", "mfa secret", "mfa seed", "mfa key", "2fa secret", "2fa seed", "2fa key", "2fa", "authenticator secret", "authenticator key", "authenticator seed", "setup key", "secret key", "seed", "manual entry key", "key uri", "google auth", "secret", "manual code", "mfa setup"}, false, seed},
		{"pin", []string{"pin", "pin code", "pincode", "door code", "alarm code", "gate code", "entry code", "safe code", "unlock code", "access code", "lock code", "panel code", "keypad code", "lockbox code", "code de porte", "voicemail code", "installer code", "disarm code", "security code", "cvv", "cvc", "passcode", "voicemail pin", "puk"}, false, pin},
	}
}

// labelReach is how far from its label a value ends, in bytes.
const labelReach = 4096

// aboutReach is how far behind its label a value begins, in bytes.
const aboutReach = 192

// Between a label and its value is something about it, "for the NAS", and an
// operator, a verb or nothing.
var (
	about    = `(?:s\b|\d\b)?(?:[ \t]*\([^()\r\n]+\)|[ \t]*\[[^\[\]\r\n]+\])?(?:[ \t]+(?:over|via|by|for|of|on|at|from|in|f\x{fc}r|pour|para|f\.|de|del|du|des|von|vom|zum)(?:[ \t]+[^\s:="'>]+){1,6}?)?`
	strongly = regexp.MustCompile(`^` + about + "(?:[\"'`*]{1,3}|</?[a-z]{1,6}>|\\\\[\"'])?[ \\t]*(?::{1,2}=?|={1,3}>?|->|=>|\u2192|>|\uff1a)[ \\t]*(?:\\*{1,2}|</?[a-z]{1,6}>)*[ \\t]*")
	loosely  = regexp.MustCompile(`^` + about + `(?:['\x{2019}]s|[ \t]+(?i:(?:(?:has|have)[ \t]+been|was|is|got|now|then|back|a[ \t]+été|wurde)[ \t]+)?(?:(?i:re)?(?i:set|changed|updated|moved|switched|ge(?:\x{e4}|ae)ndert)[ \t]+(?i:back[ \t]+)?)?(?i:should[ \t]+be|will[ \t]+be|must[ \t]+be|would[ \t]+be|is|was|to|into|est|ist|war|lautet|es|auf|are|as|says|said|reads|isn't))[ \t]+(?i:(?:now|still|just|currently|temporarily|again|set[ \t]+to|changed[ \t]+to|also|probably|literally|actually|default|the[ \t]+default|simply|back[ \t]+to)[ \t]+){0,2}:?[ \t]*`)
	barely   = regexp.MustCompile(`^[ \t]+`)
	// The value of "Password:" may be a line of its own.
	nextLine = regexp.MustCompile(`^[ \t]*\*{0,2}:\*{0,2}[ \t]*\r?\n[ \t]*(\S{6,64})[ \t]*(?:\r?\n|$)`)
)

// trust is how surely a value follows.
type trust int

const (
	bare trust = iota
	loose
	strong
)

func (l label) match(s, fold string, lo, hi int, spans []span) []span {
	if !l.inner && !wordStart(s, lo) && s[lo-1] != '_' && s[lo-1] != '-' {
		return spans
	}
	if !wordEnd(s, hi) && s[hi] != 's' && !isDigit(s[hi]) {
		return spans
	}
	if strings.HasSuffix(fold[:lo], "publickey") || strings.HasSuffix(fold[:lo], "public key ") || strings.HasPrefix(fold[lo:], "public key") {
		return spans
	}
	end := min(len(s), hi+labelReach)
	if i := strings.IndexAny(s[hi:end], "\r\n"); i >= 0 {
		end = hi + i
	}
	rest := s[hi:end]
	for i, expr := range []*regexp.Regexp{strongly, loosely, barely} {
		if i == 0 && !operatorNear(rest[:min(len(rest), aboutReach)]) {
			continue
		}
		m := expr.FindStringIndex(rest[:min(len(rest), aboutReach)])
		if m == nil || m[1] == len(rest) {
			continue
		}
		if from, to, ok := l.kind.value(rest, m[1], strong-trust(i)); ok {
			return append(spans, span{hi + from, hi + to, l.id})
		}
		if i == 0 {
			return spans
		}
	}
	if l.kind == password && l.inner {
		if from, to, ok := vividIn(rest); ok {
			return append(spans, span{hi + from, hi + to, l.id})
		}
	}
	if l.kind == password && end < len(s) {
		if m := nextLine.FindStringSubmatchIndex(s[hi:min(len(s), hi+128)]); m != nil && strongish(s[hi+m[2]:hi+m[3]]) {
			spans = append(spans, span{hi + m[2], hi + m[3], l.id})
		}
	}
	return spans
}

// vividReach is how far from its label a password is recognized by its looks, in
// bytes.
const vividReach = 96

// vividIn finds a word that nobody would take for anything but a password: its
// line speaks of one, and it has letters, digits and a symbol between them.
func vividIn(s string) (lo, hi int, ok bool) {
	for at := 0; at < min(len(s), vividReach); {
		if s[at] == ' ' || s[at] == '\t' {
			at++
			continue
		}
		lo, hi, quoted := valueAt(s, at, bare)
		v := s[lo:hi]
		if !quoted && len(v) >= 7 && len(v) <= 32 && vivid.MatchString(v) && strongish(v) {
			return lo, hi, true
		}
		for at = max(at+1, hi); at < len(s) && s[at] > ' '; {
			at++
		}
	}
	return 0, 0, false
}

var vivid = regexp.MustCompile(`^[A-Za-z0-9]+[!$%^&*#@][A-Za-z0-9!$%^&*#@]*\d[A-Za-z0-9!$%^&*#@]*$`)

// operatorNear tells whether there is anything that strongly could match, since
// that is dear to find out.
func operatorNear(s string) bool {
	for _, c := range []byte(s) {
		if c == ':' || c == '=' || c == '>' || c == 0xe2 || c == 0xef {
			return true
		}
	}
	return false
}

// value finds the secret that begins at s[at:], which is the rest of a line.
func (k kind) value(s string, at int, t trust) (lo, hi int, ok bool) {
	if k == seed {
		return seedAt(s, at)
	}
	lo, hi, quoted := valueAt(s, at, t)
	v := s[lo:hi]
	if len(v) < 3 || masked(v) {
		return 0, 0, false
	}
	switch k {
	case token:
		if t == bare && (len(v) < 10 || len(v) < 16 && !strings.ContainsAny(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
			return 0, 0, false
		}
		return lo, hi, mixed(v) && (t == strong && !option.MatchString(v) || hexDigest.MatchString(v) || !benign(v))
	case pin:
		n := strings.Trim(v, "#*")
		if t != bare && dial.MatchString(v) {
			return lo, hi, true
		}
		return lo, hi, countDigits(n) == len(n) && len(n) >= 3 && len(n) <= 12 && n[0] != '+' && !unitFollows(s[hi:]) && (t != bare || len(n) >= 4)
	case account:
		return accountAt(s, at, t)
	case password, seed:
	}
	if m := appPassword.FindString(s[lo:]); m != "" && !slices.ContainsFunc(strings.Fields(m), stopword) {
		return lo, lo + len(m), true
	}
	switch t {
	case strong:
		if quoted {
			return lo, hi, !stopword(v) && !path(v)
		}
		if word(v) {
			return lo, hi, !stopword(v) && !participle(v) && clauseEnds(s[hi:])
		}
		return lo, hi, !stopword(v) && !path(v) && !counted(v, s[hi:]) && !email(v)
	case loose:
		if quoted {
			return lo, hi, !stopword(v) && !path(v) && (!strings.Contains(v, " ") || countDigits(v) > 0)
		}
		if word(v) {
			to := strings.Contains(strings.ToLower(s[:at]), " to ") || strings.Contains(strings.ToLower(s[:at]), " as ")
			return lo, hi, len(v) >= 5 && !stopword(v) && !prose(v) && clauseEnds(s[hi:]) && !to
		}
		return lo, hi, passwordy(v)
	case bare:
	}
	return lo, hi, !quoted && len(v) >= 6 && strongish(v) || quoted && len(v) >= 6 && passwordy(v) && !strings.Contains(v, " ")
}

var (
	// appPassword is how Google and Yahoo show one.
	appPassword = regexp.MustCompile(`^[a-z]{4}(?: [a-z]{4}){3}\b`)
	// dial is the combination of a safe.
	dial   = regexp.MustCompile(`^\d{1,2}(?:-\d{1,2}){2,3}$`)
	option = regexp.MustCompile(`^[a-z]{2}=`)
)

// accountAt finds the password of "creds: admin / Welcome1".
func accountAt(s string, at int, t trust) (lo, hi int, ok bool) {
	m := userAnd.FindStringSubmatchIndex(s[at:])
	if m == nil {
		return 0, 0, false
	}
	lo, hi, quoted := valueAt(s, at+m[2], strong)
	v := s[lo:hi]
	if masked(v) || stopword(v) || path(v) || len(v) < 4 {
		return 0, 0, false
	}
	return lo, hi, quoted || strongish(v) || t == strong && passwordy(v) && countDigits(v) < len(v)
}

var userAnd = regexp.MustCompile("^[\"'`]?[\\w.@\\\\-]{2,60}?[\"'`]?[ \\t]*[/:|,][ \\t]*[\"'`]?()[^\\s/]")

// valueAt is the token at s[at:], or what its quotes enclose.
func valueAt(s string, at int, t trust) (lo, hi int, quoted bool) {
	for at < len(s) && (s[at] == ' ' || s[at] == '\t') {
		at++
	}
	for _, q := range [...][2]string{{`"`, `"`}, {`'`, `'`}, {"`", "`"}, {"\u201c", "\u201d"}, {"\u2018", "\u2019"}, {"\u201e", "\u201c"}, {`\"`, `\"`}, {"**", "**"}, {"@'", "'"}, {"&quot;", "&quot;"}, {opening, closing}} {
		if rest, ok := strings.CutPrefix(s[at:], q[0]); ok {
			lo = at + len(q[0])
			if n := strings.Index(rest, q[1]); n > 0 && n <= 256 {
				return lo, lo + n, true
			}
		}
	}
	lo, hi = at, at
	for hi < len(s) && s[hi] > ' ' && !strings.HasPrefix(s[hi:], closing) && !strings.HasPrefix(s[hi:], "\u00a0") && !strings.HasPrefix(s[hi:], "\u2026") && !strings.HasPrefix(s[hi:], "\u2014") && !strings.HasPrefix(s[hi:], "\u2013") {
		if c := s[hi]; hi > lo && (c == '"' || c == '`' || c == '|' || c == '<' && hi+1 < len(s) && (s[hi+1] == '/' || isLower(s[hi+1]))) || hi > lo && t == strong && fieldEnds(s[hi:]) {
			break
		}
		hi++
	}
	for hi > lo {
		switch c := s[hi-1]; {
		case strings.IndexByte(".,;:?'>\\", c) >= 0:
		case c == ')' && !strings.Contains(s[lo:hi], "("), c == ']' && !strings.Contains(s[lo:hi], "["), c == '}' && !strings.Contains(s[lo:hi], "{"):
		case c == '*' && hi-lo > 2 && s[hi-2] == '*':
		default:
			return lo, hi, false
		}
		hi--
	}
	return lo, hi, false
}

var fieldEnd = regexp.MustCompile(`^(?:;(?:[ \t]|$|[A-Za-z][\w ]{0,30}=)|&[\w.-]{1,30}=|,[ \t]|,["']?[A-Za-z_]\w{0,30}["']?[=:]|["'][ \t]*[,;}\])]|["'][ \t]*$)`)

// fieldEnds tells whether a field of a record ends at the beginning of s.
func fieldEnds(s string) bool {
	switch s[0] {
	case ';', '&', ',', '"', '\'':
		return fieldEnd.MatchString(s[:min(len(s), 48)])
	}
	return false
}

var base32Seed = regexp.MustCompile("^[^\\r\\n]{0,48}?(?:[:=>\\s\"'`(]|^)((?:[A-Z2-7]{4}[ -]){3,15}[A-Z2-7]{1,8}|[A-Z2-7]{16,128}=*|(?:[a-z2-7]{4}[ -]){3,15}[a-z2-7]{2,8}|[a-z2-7]{16,128})(?:[\\s\"'`.,;)&]|$)")

func seedAt(s string, at int) (lo, hi int, ok bool) {
	at = max(0, at-1)
	m := base32Seed.FindStringSubmatchIndex(s[at:min(len(s), at+256)])
	if m == nil {
		return 0, 0, false
	}
	v := s[at+m[2] : at+m[3]]
	if !strings.ContainsAny(v, "234567") && (isLower(v[0]) || len(v) < 16) {
		return 0, 0, false
	}
	return at + m[2], at + m[3], true
}

var users = []string{"admin", "administrator", "root", "user", "sa", "localadmin", "local admin", "guest", "test", "cisco", "ubnt", "pi", "support", "service", "scanner", "backup", "operator", "manager", "owner", "superuser", "sysadmin", "netadmin", "domain admin", "postgres", "mysql", "oracle", "vagrant", "ubuntu", "temp", "kiosk", "reception", "frontdesk", "helpdesk", "helpadmin", "svc", "username"}

// pair finds the password of "admin / P@ssw0rd!" and "root/Calvin#1".
func pair(s, fold string, lo, hi int, spans []span) []span {
	from := lo
	if s[lo] == ' ' {
		for from > 0 && lo-from < 64 && s[from-1] > ' ' {
			from--
		}
	} else if !wordStart(s, lo) {
		return spans
	} else {
		lo = hi - 1
	}
	user := strings.Trim(fold[from:lo], "\"'`(*:,")
	if fold[lo:hi] == " : " && !strings.ContainsAny(user, `\@`) {
		return spans
	}
	if user == "" || hi >= len(s) || strings.HasPrefix(s[hi:], "/") {
		return spans
	}
	known := slices.Contains(users, user) || strings.ContainsAny(user, `\@`) && !strings.Contains(user, "/") || strings.HasPrefix(user, "svc") || strings.HasSuffix(user, "admin") ||
		announced(fold[max(0, from-24):from])
	eol := len(s)
	if i := strings.IndexAny(s[hi:min(len(s), hi+512)], "\r\n"); i >= 0 {
		eol = hi + i
	}
	a, b, quoted := valueAt(s[:eol], hi, strong)
	v := s[a:b]
	dotted := strings.Contains(user, ".") && !strings.ContainsAny(user, `/\:`) && countDigits(user) == 0
	if !known && !dotted {
		return spans
	}
	if len(v) >= 5 && !masked(v) && (quoted && passwordy(v) || strongish(v)) && !strings.Contains(v, "/") {
		spans = append(spans, span{a, b, "password"})
	}
	return spans
}

// announced tells whether an account's name is to follow.
func announced(before string) bool {
	for _, word := range []string{"user", "username", "creds", "login", "credentials", "account", "with", "as", "using", "acct"} {
		if strings.HasSuffix(strings.TrimRight(before, " :=\"'"), word) && !strings.HasSuffix(before, word) {
			return true
		}
	}
	return false
}

// asPassword finds the password of "used Welcome1 as the password".
func asPassword(s, _ string, lo, hi int, spans []span) []span {
	from := lo
	for from > 0 && lo-from < 64 && s[from-1] > ' ' {
		from--
	}
	a, b, _ := valueAt(s[:lo], from, bare)
	if strongish(s[a:b]) {
		spans = append(spans, span{a, b, "password"})
	}
	return spans
}
