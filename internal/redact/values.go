package redact

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
)

// masked tells whether a value stands for a secret and is none: stars, a
// variable, a template's field.
func masked(v string) bool {
	v = strings.Trim(v, "\"'")
	if strings.Trim(v, "*•●.xX-_#?…") == "" {
		return true
	}
	return variable.MatchString(v)
}

var variable = regexp.MustCompile(`^(?:\$\{?[A-Za-z_]\w*(?:[:.]\w+)*\}?[,;)]*|\$\(.*|%\w+%|<[^<>]*>?|\{\{.*|\{[\w .-]*\}|\[[^\[\]]*\]?|\(.*|@\w*Password|process\.env.*|os\.environ.*|ENC\[.*|vault:.*)$`)

// argument is a value of a command line that is not one of its switches.
func argument(v string) bool {
	return len(v) >= 3 && !stopword(v) && v[0] != '*' && !strings.HasSuffix(v, ":")
}

// word tells whether a value could be one of a sentence: letters alone.
func word(v string) bool {
	upper := 0
	for i, c := range []byte(v) {
		switch {
		case isLower(c) || c == '\'' || c >= 0x80:
		case c == '-' && i > 0:
		case isUpper(c):
			upper++
		case i == len(v)-1 && (c == '!' || c == '?'):
		default:
			return false
		}
	}
	// Capitals inside are no sentence's, unless all are.
	return upper == 0 || upper == 1 && isUpper(v[0]) || upper >= len(v)-2
}

// participle tells whether a word's form is that of "rejected" and "pending".
func participle(v string) bool {
	v = strings.ToLower(strings.TrimRight(v, "!?"))
	return len(v) > 4 && (strings.HasSuffix(v, "ed") || strings.HasSuffix(v, "ing"))
}

// prose tells whether the form of a word is one of verbs and adverbs.
func prose(v string) bool {
	v = strings.ToLower(strings.TrimRight(v, "!?"))
	for _, suffix := range []string{"ed", "ing", "ly", "able", "ible", "n't", "'s", "tion", "ment", "ful"} {
		if len(v) > len(suffix)+2 && strings.HasSuffix(v, suffix) {
			return true
		}
	}
	return false
}

// clauseEnds tells whether nothing of a sentence follows a word but its end or
// a new clause.
func clauseEnds(s string) bool { return clauseEnd.MatchString(s[:min(len(s), 24)]) }

var clauseEnd = regexp.MustCompile(`^(?i:["'*)\]}]*(?:$|[.,;!?)|\]}<&/—–-]|[ \t]+(?:$|[-–—/|(,;&]|for |on |and |but |at |if |which |user|works|worked|login|domain|until |so |in case|port|host|pin|ssid)|[ \t]{2,}|["'\x60]))`)

// unitFollows tells whether a number counts something: "12 characters".
func unitFollows(s string) bool { return unit.MatchString(s[:min(len(s), 24)]) }

var unit = regexp.MustCompile(`^(?i:[ \t-]*(?:char|digit|day|hour|min|week|month|year|time|attempt|letter|second|sec\b|symbol|more|%|/|of\b|st\b|nd\b|rd\b|th\b|users?\b|old|ago|failed|and|to\b|or\b|x\b))`)

// counted is a number that is no password.
func counted(v, rest string) bool {
	return countDigits(v) == len(v) && (len(v) < 4 || unitFollows(rest)) || date.MatchString(v)
}

var date = regexp.MustCompile(`^(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:T[\d:.]+Z?)?|\d{1,2}:\d{2}(?::\d{2})?|0x[0-9a-fA-F]+|\d+(?:st|nd|rd|th|d|h|m|s|min|ms|%|x|GB|MB|KB|k|/\d+|-\d+)|\d+\.\d+(?:\.\d+)*)$`)

// path is a place, not a secret: a file, a key of the registry, an address.
func path(v string) bool { return place.MatchString(v) }

var place = regexp.MustCompile(`^(?:[A-Za-z]:\\|\\\\\w|\.{0,2}/[\w.-]+(?:/|$)|~/|(?i:hklm|hkcu|hkey_)|[a-z][a-z0-9+.-]*://|www\.|(?i:cn|ou|dc)=)`)

func email(v string) bool { return address.MatchString(v) }

var address = regexp.MustCompile(`^[\w.+-]+@[\w-]+(?:\.[\w-]+)+$`)

// benign are shapes with letters and digits that identify something and open
// nothing.
func benign(v string) bool {
	return path(v) || email(v) || date.MatchString(v) || identifier.MatchString(v)
}

// hexDigits are digests of MD5 and SHA.
const hexDigits = `(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9A-F]{32}|[0-9A-F]{40}|[0-9A-F]{64})`

var hexDigest = regexp.MustCompile(`^` + hexDigits + `$`)

var identifier = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?`, // GUID
	hexDigits,
	`(?i:sha\d+:|md5:|sha\d+-).*`,
	`(?i:kb|ms|cve-|inc|req|chg|prb|cs|tkt|t|ticket|case|ref|sr|rfc|po|so|wo|#)-?\d[\d.-]*`, // numbers of tickets and updates
	`S-1-\d+(?:-\d+)*`,                                                                 // SID
	`(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}`, `(?:[0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}`, // MAC
	`v?\d+(?:[.,]\d+)*[a-z]?\d*(?:/\d+)?`,                                   // versions, addresses, numbers
	`[A-Za-z]{1,8}-\d{1,3}`, `[A-Z]{2,}\d{0,5}`, `[A-Z0-9]+(?:-[A-Z0-9]+)+`, // srv-01, DC01, NYC-SQL-2
	`(?i:[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|local|lan|internal|test|example|corp|exe|dll|msi|log|txt|ps1|bat|cmd|pdf|docx?|xlsx?|csv|json|xml|ya?ml|conf|cfg|ini|zip|iso|io|us|uk|de))`,
	`(?i:win(?:dows)?\d+|office\d+|o365|m365|office365|server\d+|exchange\d+|sql\d+|outlook\d+|sha\d+|aes\d+|md\d|tls1?\.?\d|oauth\d?|ntlmv\d|ipv\d|smbv?\d|wpa\d(?:-\w+)?|ikev\d|mfa|2fa|802\.1x|step\d+|part\d+|page\d+|day\d+|user\d+|test\d+|room\d+|port\d+|vlan\d+|build\d+|option\d+|attempt\d+|phase\d+|line\d+|q\d|h\d|rev\d+|ver\d+|base64|x64|x86|utf-?\d+)`,
	`(?i:[a-z]+)(?:\(s\)|/[A-Za-z/]+)`,                                 // password(s), user/group
	`[A-Za-z]+\d?=\S*`, `-{1,2}[A-Za-z][\w-]*`, `/[A-Za-z?]+(?::\S*)?`, // options
	`(?:[A-Z][a-z]+){2,}\d?`, // PasswordLastSet
}, "|") + `)$`)

// mixed tells whether a value looks machine-made: eight characters, among them
// letters and digits.
func mixed(v string) bool {
	d := countDigits(v)
	return len(v) >= 8 && d > 0 && d < len(v) && !strings.ContainsAny(v, " \t") && hasLetter(v) && !path(v) && !date.MatchString(v) && !email(v)
}

func hasLetter(v string) bool {
	return strings.IndexFunc(v, func(r rune) bool { return r < 0x80 && (isUpper(byte(r)) || isLower(byte(r))) }) >= 0
}

// passwordy tells whether a value looks like a password where one is expected:
// something besides letters in it, and no known shape of something else.
func passwordy(v string) bool {
	if len(v) < 4 || benign(v) || stopword(v) {
		return false
	}
	if countDigits(v) == len(v) {
		return false
	}
	return !word(v) && hasLetter(v)
}

// strongish tells whether a value looks like a password wherever it stands:
// letters, and digits or the symbols that rules for passwords ask for.
func strongish(v string) bool {
	if len(v) < 6 || !passwordy(v) || strings.HasSuffix(v, "'s") {
		return false
	}
	core := strings.TrimRight(v, "!?")
	return countDigits(v) > 0 && !strings.ContainsAny(v, "\\()<>,") || strings.ContainsAny(core, "@#$%^&*!") && !strings.ContainsAny(v, "\\()<>,/")
}

// basicValue tells whether a value is one of HTTP's Basic scheme: base64 of a
// name, a colon and a password.
func basicValue(v string) bool {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(v, "="))
	return err == nil && slices.Contains(raw, ':')
}

func stopword(v string) bool {
	v = strings.ToLower(strings.Trim(v, ".,;:!?\"'()[]*"))
	return stopwords[v]
}

// stopwords follow a label in sentences and forms, and are no passwords.
var stopwords = func() map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.Fields(stopwordList) {
		words[w] = true
	}
	return words
}()

const stopwordList = `
a about above accepted access account accounts active actual added admin administrator after again age aged all allowed already also always an and another any anymore anyway are aren't around as asked at attempt available away
back bad be because been before being below between blank block blocked both broken but by bypass bypassed
cached can can't cannot case caps certificate change changed changes check cleared closed code complexity compliant compromised configured confirmed connect copied copy correct correctly could couldn't created credential current currently
data date default deleted denied details did didn't different disabled do documented does doesn't domain don't done down due during
each either email empty enabled encrypted enforced entered enter entry error every everything exact exactly expire expired expires expiration expiry exposed
fail failed fails failing failure false fine first fixed for forced forgot forgotten found fresh from
generated get gets getting given gives go goes going gone good got granted group
had hanging happened has hash hashed hasn't have he hello help her here hers hidden him his history hmm how however
i i'm identical if ignored immediately in inactive incorrect incorrectly info inside instead invalid invalidated is isn't issue it it's its itself itglue hudu
just
keepass keeps kept keychain known knows
last lastpass later left length less like likely line local locked lockout login longer looks lost
mail manager managed mandatory manually masked match matches matched matching maybe me mfa mine minimum mismatch missing more most must my
n/a na name need needed needs never new next nil no nobody none nope normal not note nothing now null
o obsolete of off ok okay old older on once one online only open optional or other our out outdated over own
page partial passed passphrase password passwords past pasted pending people per phone please policy possible post prior private problem prompt prompted prompts protected provided public
quickly
ready really received recorded recovered redacted rejected remembered remove removed repeated required requested requires reset resets resetting resolved restored returned reused revoked right rotated rotation
safe same saved says screen secure security see seems sent server set setting settings shared she should shown shows side since so some something somewhere sorted still stale stored strong stuck submitted success successful successful successfully sure sync synced synchronized system
tba tbc tbd team temp temporary test tested text than that that's the their them then there these they this those though through till time timed timeout to today token too tool total tried true try trying twice typed
unavailable unchanged undefined under unique unknown unlocked unset until up updated upon used user username users using usual
valid validated value vault verified verify very via visible
waiting was wasn't we we've weak well were weren't what whatever when whenever where wherever which while who whole why will window windows with within without won't word work worked working works worse would writeback wrong
yes yet yesterday you your yours
1password bitwarden dashlane entra azure okta outlook windows keeper myglue passportal authenticator
abgelaufen falsch geändert korrekt nicht richtig unbekannt vergessen zurückgesetzt gesperrt ungültig und oder muss wird wurde ist läuft
expiré incorrect oublié changé invalide pas requis et ou réinitialisé
caducada incorrecta olvidada cambiada no es y o fue
`
