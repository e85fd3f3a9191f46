package redact

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ownRule is one of ours.
type ownRule struct {
	id       string
	keywords []string // in lower case
	match    matcher
}

// ownRules are what MSP people type and gitleaks does not know.
func ownRules() []ownRule {
	rules := []ownRule{
		{"private-key", []string{"-----begin", "private-lines:"}, privateKey},
		{"recovery-code", []string{"recovery code", "backup code", "scratch code", "bypass code", "recovery-code", "backup-code"}, recoveryCodes},
		{"bitlocker-recovery-key", []string{"bitlocker", "recovery password", "recovery key"}, spacedBitLocker},
		{"password", []string{" / ", " : ", " | ", "admin/", "admin:", "administrator/", "administrator:", "root/", "root:", "sa/", "sa:", "ubnt:", "ubnt/", "pi:", "guest:", "guest/", "user/"}, pair},
		{"password", []string{" as password", " as pw", " as the pw", " as the password", " as pass", " as temp p", " as a temp p", " as the temp p", " as initial p", " as the new p", " as new p", " is the password", " is the pw", " is her p", " is his p", " is my p", " is their p", " for the password", " for the pw", " which is her p", " which is his p", " which is the p", " which is their p"}, asPassword},
	}
	for _, l := range labels() {
		rules = append(rules, ownRule{l.id, l.words, l.match})
	}
	for _, c := range commands() {
		rules = append(rules, ownRule{c.id, c.words, c.match})
	}
	return rules
}

// command is an expression that is tried at its keyword and within its line.
// Its first group that took part is the secret.
type command struct {
	id    string
	words []string
	expr  *regexp.Regexp
	judge func(value string) bool // nil: any value
	inner bool                    // the keyword may be in the middle of a word
}

// commandReach is how far from its keyword a secret of a command ends, in bytes.
const commandReach = 1024

func (c command) match(s, _ string, lo, hi int, spans []span) []span {
	if !c.inner && (!wordStart(s, lo) || lo > 1 && s[lo-1] == '-' && isAlnum(s[lo-2])) {
		return spans
	}
	end := min(len(s), lo+commandReach)
	if i := strings.IndexAny(s[hi:end], "\r\n"); i >= 0 {
		end = hi + i
	}
	m := c.expr.FindStringSubmatchIndex(s[lo:end])
	if m == nil {
		return spans
	}
	for g := 1; g < len(m)/2; g++ {
		if m[2*g] < 0 {
			continue
		}
		from, to := lo+m[2*g], lo+m[2*g+1]
		if value := s[from:to]; !masked(value) && (c.judge == nil || c.judge(value)) {
			spans = append(spans, span{from, to, c.id})
		}
		return spans
	}
	return spans
}

// arg is one argument of a command line, with its quotes outside of the group.
const arg = `(?:"([^"]+)"|'([^']+)'|([^\s"'/*<>|-][^\s"'<>|]*))`

// dashArg may begin with a dash or a slash.
const dashArg = `(?:"([^"]+)"|'([^']+)'|([^\s"'<>|]+))`

func commands() []command {
	is := func(expr string) *regexp.Regexp { return regexp.MustCompile(`^(?i:` + expr + `)`) }
	return []command{
		{"net-user-password", []string{"net user", "net.exe user", "net1 user"}, is(`net1?(?:\.exe)?[ ]user[ \t]+(?:"[^"]+"|[^\s"/]+)[ \t]+` + arg + `(?:[ \t]+/(?:add|domain|y|active|expires|times|passwordchg|logonpasswordchg|comment|fullname)|[ \t]*$)`), argument, false},
		{"net-user-password", []string{"net user", "net.exe user", "net1 user"}, is(`net1?(?:\.exe)?[ ]user[ \t]+(?:"[^"]+"|[^\s"/]+)[ \t]+` + arg), passwordy, false},
		{"net-use-password", []string{"net use", "net.exe use"}, is(`net(?:\.exe)?[ ]use[ \t][^\r\n]*?/u(?:ser)?:(?:"[^"]+"|\S+)[ \t]+` + arg), argument, false},
		{"net-use-password", []string{"net use", "net.exe use"}, is(`net(?:\.exe)?[ ]use[ \t]+(?:[a-z*]:?[ \t]+)?\\\\\S+[ \t]+` + arg + `[ \t]+/`), argument, false},
		{"command-password", []string{"psexec", "paexec", "psexec64", "pskill", "pslist", "psinfo", "psservice"}, is(`[a-z0-9]+(?:\.exe)?[ \t][^\r\n]*?-p[ \t]+` + dashArg), nil, false},
		{"command-password", []string{"sshpass"}, is(`sshpass[ \t]+-p[ \t]?` + dashArg), nil, false},
		{"command-password", []string{"mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump"}, is(`[a-z-]+(?:\.exe)?[ \t][^\r\n]*?[ \t]-p(?:"([^"]+)"|'([^']+)'|([^\s"']+))`), nil, false},
		{"command-password", []string{"mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump"}, is(`[a-z-]+(?:\.exe)?[ \t]+-p(?:"([^"]+)"|'([^']+)'|([^\s"']+))`), nil, false},
		{"command-password", []string{"plink", "pscp", "psftp", "putty", "winscp", "kitty"}, is(`[a-z]+(?:\.exe|\.com)?[ \t][^\r\n]*?-pw[ \t]+` + dashArg), nil, false},
		{"command-password", []string{"sqlcmd", "osql", "bcp", "isql", "ipmitool"}, is(`[a-z]+(?:\.exe)?[ \t](?-i:[^\r\n]*?-P[ \t]*)` + dashArg), nil, false},
		{"command-password", []string{"docker login", "podman login", "helm registry login", "az login", "az acr login", "rdesktop", "net rpc", "7z", "7za", "rar", "certutil", "wbadmin", "openssl", "az ad", "vncviewer"}, is(`[a-z0-9_]+(?:\.exe)?(?:[ \t][^\r\n]*?)?[ \t]-p(?:assword|asswd|ass)?(?:[ \t]+|=)` + dashArg), argument, false},
		{"command-password", []string{"7z", "7za", "rar", "unrar"}, is(`[a-z0-9]+(?:\.exe)?[ \t][^\r\n]*?[ \t]-p(?:"([^"]+)"|'([^']+)'|([^\s"']+))`), nil, false},
		{"command-password", []string{"xfreerdp", "wfreerdp"}, is(`[a-z0-9]+[ \t][^\r\n]*?/p:` + dashArg), nil, false},
		{"command-password", []string{"ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami"}, is(`[a-z]+[ \t][^\r\n]*?-w[ \t]*` + dashArg), nil, false},
		{"command-password", []string{"smbclient", "rpcclient", "smbmap", "net ads", "mount.cifs"}, is(`[a-z. ]+[ \t][^\r\n]*?-U[ \t]*['"]?[^\s%'"]+%([^\s'"]+)`), nil, false},
		{"command-password", []string{"curl", "wget", "http ", "https "}, is(`[a-z]+(?:\.exe)?[ \t][^\r\n]*?(?:-u|--user|--proxy-user|-a)[ \t=]*['"]?[^\s:'"]+:([^\s'"]+)`), nil, false},
		{"command-password", []string{"schtasks", "sc create", "sc config", "sc.exe create", "sc.exe config"}, is(`[a-z. ]+[^\r\n]*?(?:/rp[ \t]+|password=[ \t]*)` + dashArg), nil, false},
		{"command-password", []string{"netdom", "djoin", "realm join", "add-computer"}, is(`[a-z-]+[^\r\n]*?/p(?:d|o|asswordd|asswordo|assword):` + dashArg), nil, false},
		{"command-password", []string{"winrs", "winrm", "wmic", "tsdiscon", "logman", "driverquery", "systeminfo", "tasklist", "taskkill", "getmac", "gpresult", "typeperf"}, is(`[a-z]+(?:\.exe)?[ \t][^\r\n]*?[/-]p(?:assword)?[: \t][ \t]*` + dashArg), strongish, false},
		{"command-password", []string{"echo "}, is(`echo[ ]+-?n?[ ]?['"]?(?:[a-z_][\w.-]*:)?([^\s'"|]+)['"]?[ ]*\|[ ]*(?:sudo[ ]+)?(?:-S\b|chpasswd|passwd|sudo|smbpasswd|htpasswd|docker login|runas|cryptsetup)`), nil, false},
		{"secure-string", []string{"convertto-securestring"}, is(`convertto-securestring[ \t]+(?:-(?:asplaintext|force)[ \t]+)*(?:-string[ \t]+)?(?:-(?:asplaintext|force)[ \t]+)*(?:"([^"]+)"|'([^']+)'|([^\s"'$(-]\S*))`), nil, false},
		{"credential-object", []string{"pscredential", "networkcredential"}, is(`[a-z]+\]?(?:::new)?[ \t]*(?:-argumentlist)?[ \t]*\(?@?\(?[ \t]*(?:"[^"]*"|'[^']*'|\$?[\w.\\@-]+)[ \t]*,[ \t]*(?:"([^"]+)"|'([^']+)')`), nil, false},
		{"snmp-community", []string{"snmp-server community", "snmp-agent community", "rocommunity", "rwcommunity", "rocommunity6", "set snmp community", "snmp community", "trap-community", "set community"}, is(`(?:snmp-server[ ]community|snmp-agent[ ]community(?:[ ](?:read|write))?|r[ow]community6?|set[ ]snmp[ ]community|trap-community|set[ ]community)[ \t]+(?:read-only[ \t]+|read-write[ \t]+|ro[ \t]+|rw[ \t]+|\d[ \t]+)?` + arg), argument, false},
		{"snmp-community", []string{"snmp-server host", "snmp-server user"}, is(`snmp-server[ ]host[ \t]+(?:\S+[ \t]+)?[\d.]+[ \t]+(?:traps[ \t]+|informs[ \t]+)?(?:version[ \t]+\w+[ \t]+)?(?:community[ \t]+)?` + arg), argument, false},
		{"snmp-community", []string{"snmpwalk", "snmpget", "snmpbulkwalk", "snmpset", "snmpgetnext", "snmptable"}, is(`snmp[a-z]+[ \t](?-i:[^\r\n]*?-c[ \t]*)` + arg), nil, false},
		{"snmp-v3-key", []string{"snmpwalk", "snmpget", "snmpbulkwalk", "snmpset"}, is(`snmp[a-z]+[ \t](?-i:[^\r\n]*?-A[ \t]*)` + arg), nil, false},
		{"snmp-v3-key", []string{"snmpwalk", "snmpget", "snmpbulkwalk", "snmpset"}, is(`snmp[a-z]+[ \t](?-i:[^\r\n]*?-X[ \t]*)` + arg), nil, false},
		{"snmp-v3-key", []string{" auth md5", " auth sha"}, is(`[ ]auth[ ](?:md5|sha)[ ]?(?:\d{1,3}[ ])?(\S+)`), nil, true},
		{"snmp-v3-key", []string{" priv aes", " priv des", " priv 3des"}, is(`[ ]priv[ ](?:3?des|aes)[ ]?(?:\d{1,3}[ ])?(\S+)`), nil, true},
		{"device-password", []string{"enable secret", "enable password"}, is(`enable[ ](?:secret|password)[ \t]+(?:level[ \t]+\d+[ \t]+)?(?:\d[ \t]+)?` + arg), argument, false},
		{"device-password", []string{"secret 0", "secret 4", "secret 5", "secret 8", "secret 9", "password 0", "password 5", "password 6", "password 7", "key 7", "key 6", "key 0", "password encrypted", "passwd 7", "md5 7", "key-string 7", "ascii 0", "ascii 7", "ascii 8", "secret sha512"}, is(`(?:secret|password|passwd|key|md5|key-string|ascii)[ ](?:encrypted|sha512|\d)[ \t]+([^\s"']{4,})`), nil, false},
		{"device-password", []string{"username ", "user-name "}, is(`user-?name[ ]\S+[ \t](?:[^\r\n]*?[ \t])?(?:secret|password)[ \t]+(?:\d[ \t]+)?` + arg), argument, false},
		{"device-password", []string{"set password", "set passwd", "set psksecret", "set ppk-secret", "set passphrase", "set secret", "set key ", "set auth-pwd", "set priv-pwd", "set pre-shared-key", "set wpa-passphrase"}, is(`set[ ][a-z-]+[ \t]+(?:enc[ \t]+)?` + arg), argument, false},
		{"device-password", []string{"tacacs-server key", "radius-server key", "tacacs-server host", "radius-server host", "key-string", "server-key", "wpa-psk ascii", "ntp authentication-key", "standby", "auth-key", "shared-secret", "psk-key"}, is(`(?:(?:tacacs|radius)-server[ ](?:host[ ]\S+[ ](?:[^\r\n]*?[ ])?)?key|key-string|server-key|wpa-psk[ ]ascii|ntp[ ]authentication-key[ ]\d+[ ]md5|standby[ ]\d+[ ]authentication|auth-key|shared-secret|psk-key)[ \t]+(?:\d[ \t]+)?` + arg), argument, false},
		{"vpn-pre-shared-key", []string{"crypto isakmp key", "isakmp key", "pre-shared-key", "ipsec-psk", "ikev1 pre-shared", "local-authentication", "remote-authentication", "ikev2 local", "ipsec-secret"}, is(`(?:(?:crypto[ ])?isakmp[ ]key|(?:ikev[12][ ](?:local-authentication[ ]|remote-authentication[ ])?)?pre-shared-key|ipsec-psk|ipsec-secret)[ \t]+(?:address[ \t]+[\d.]+[ \t]+(?:key[ \t]+)?|local[ \t]+|remote[ \t]+|ascii-text[ \t]+|\d[ \t]+)?` + arg), argument, false},
		{"vpn-pre-shared-key", []string{": psk"}, is(`:[ ]psk[ \t]+["']?([^\s"']+)`), nil, true},
		{"url-password", []string{"://"}, is(`://[^\s/:@"'<>?#]*:([^\s/"'<>?#]+)@[^\s@]`), nil, true},
		{"basic-auth", []string{"basic "}, is(`basic[ ]+([a-z0-9+/_-]{6,}={0,2})`), basicValue, false},
		{"bearer-token", []string{"bearer "}, is(`bearer[ ]+(?:token:?[ ]+)?["']?([\w.~+/-]{12,}=*)`), mixed, false},
		{"api-key", []string{"x-api-key", "api-key:", "apikey:", "x-auth-token", "x-api-token", "ocp-apim-subscription-key", "x-functions-key", "x-vault-token", "private-token", "x-access-token"}, is(`[a-z-]+["']?[ \t]*[:=][ \t]*["']?([^\s"',;]{8,})`), mixed, false},
		// Baton's own keys. One of 44 characters is whole; most of one is worth hiding too.
		{"baton-api-key", []string{"baton_"}, is(`(baton_[a-z0-9]{20,})`), nil, true},
		{"cookie", []string{"set-cookie:"}, is(`set-cookie:[ \t]*[\w.-]+=([^\s;"']{8,})`), nil, false},
		{"cookie", []string{"cookie:"}, is(`cookie:[ \t]*([^\r\n]*?[a-z0-9_.-]+=[^\r\n"';]{8,}(?:;[ ]*[\w.-]+=[^;\r\n"']*)*)`), nil, false},
		{"cookie", []string{"sessionid=", "phpsessid=", "jsessionid=", "asp.net_sessionid=", "connect.sid=", "estsauth=", "estsauthpersistent=", "fedauth=", "rtfa=", "session_id=", "sessiontoken=", "sid="}, is(`[a-z_.]+=([^\s;"'&,]{16,})`), mixed, false},
		{"signature", []string{"sig="}, is(`sig=([\w%+/=.~-]{16,})`), nil, false},
		{"webhook-url", []string{"hooks.slack.com/"}, is(`hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]{20,})`), nil, false},
		{"webhook-url", []string{".webhook.office.com/"}, is(`\.webhook\.office\.com/webhookb2/(\S{36,}?IncomingWebhook/[^\s"'<>)]+)`), nil, true},
		{"webhook-url", []string{"discord.com/api/webhooks/", "discordapp.com/api/webhooks/"}, is(`[a-z]+\.com/api/webhooks/\d+/([\w-]{20,})`), nil, false},
		{"totp-seed", []string{"otpauth://"}, is(`otpauth://[^\s"'<>]*?secret=([^\s"'&<>]+)`), nil, false},
		{"token", []string{"authorization:"}, is(`authorization:[ ]*(?:token|apikey|api-key|key|hmac|sso-key|splunk|bot|ntlm|negotiate|genie-?key)[ ]+([^\s"']{12,})`), mixed, false},
		{"wifi-key", []string{"ssid"}, is(`ssid[^\r\n]{0,60}?[ ,;/](?:key|pass|pw|pwd)[ \t]*[:=]?[ \t]*["']?([^\s"']+)`), passwordy, false},
		{"snmp-community", []string{"community "}, is(`community[ ]["']?([^\s"']+)["']?[ ](?:read-only|read-write|ro\b|rw\b)`), argument, false},
		{"password", []string{"tap"}, is(`tap(?:[ ]is|[ ]?[:=])[ ]*(\S+)`), strongish, false},
		{"password", []string{" p: ", "/p: ", ",p: "}, is(`[ ,/]p:[ ]+(\S+)`), strongish, true},
		{"app-secret", []string{"q~"}, is(`(q~[\w.~-]{31,34})`), nil, true},
	}
}

// wordStart tells whether no letter or digit is before s[i].
func wordStart(s string, i int) bool {
	if i == 0 || s[i-1] < 0x80 {
		return i == 0 || !isAlnum(s[i-1])
	}
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	return !unicode.IsLetter(before)
}

// wordEnd tells whether no letter or digit is at s[i].
func wordEnd(s string, i int) bool {
	if i >= len(s) || s[i] < 0x80 {
		return i >= len(s) || !isAlnum(s[i])
	}
	after, _ := utf8.DecodeRuneInString(s[i:])
	return !unicode.IsLetter(after)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

func isAlnum(c byte) bool { return isDigit(c) || isUpper(c) || isLower(c) }

// maxPEM bounds a private key, in bytes.
const maxPEM = 16 << 10

var (
	pemBegin = regexp.MustCompile(`^(?i:-----BEGIN[ A-Z0-9_-]{0,60}PRIVATE KEY(?: BLOCK)?-----)`)
	pemEnd   = regexp.MustCompile(`^-----(?i:END)[ A-Za-z0-9_-]{0,60}PRIVATE KEY(?: BLOCK)?-----`)
	pemBody  = regexp.MustCompile(`^(?:(?:\s|\\[rn]|>|\|)*(?:[A-Za-z-]+: [^\r\n]*|[A-Za-z0-9+/=]{16,}))+`)
	ppkBody  = regexp.MustCompile(`^(?i:private-lines:)[ \t]*\d+\s+((?:[A-Za-z0-9+/=]{16,}\s*)+)`)
)

// privateKey takes a key out whole. One whose end was cut off ends with its
// last line of base64.
func privateKey(s, _ string, lo, hi int, spans []span) []span {
	rest := s[lo:min(len(s), lo+maxPEM)]
	if s[lo] != '-' {
		if m := ppkBody.FindStringSubmatchIndex(rest); m != nil {
			spans = append(spans, span{lo + m[2], lo + m[2] + len(strings.TrimSpace(rest[m[2]:m[3]])), "private-key"})
		}
		return spans
	}
	begin := pemBegin.FindStringIndex(rest)
	if begin == nil {
		return spans
	}
	for at := begin[1]; ; {
		i := strings.Index(rest[at:], "-----")
		if i < 0 {
			break
		}
		at += i
		if end := pemEnd.FindStringIndex(rest[at:min(len(rest), at+128)]); end != nil {
			return append(spans, span{lo, lo + at + end[1], "private-key"})
		}
		if !strings.HasPrefix(rest[at:], "-----BEGIN") {
			at += 5
			continue
		}
		break // another one begins, and this one has no end
	}
	if body := pemBody.FindStringIndex(rest[begin[1]:]); body != nil {
		return append(spans, span{lo, lo + begin[1] + body[1], "private-key"})
	}
	return spans
}

var (
	codesLabel = regexp.MustCompile(`^(?i)(?:recovery|backup|scratch|bypass)[ -]codes?(?:[ \t]*\([^()\n]{0,40}\))?(?:(?:[ \t]+(?:for|of|from|on)(?:[ \t]+[^\s:=]{1,40}){1,5}?)?["'*]{0,3}[ \t]*(?::|=|->|-|[ \t]is|[ \t]are|[ \t]was|[ \t]were)[ \t]*(?:below:?|these:?)?|[ \t])`)
	codeNext   = regexp.MustCompile("^(?:[\\s,;|•*\\[\\]\"'`]|and\\b|[-–][ \\t]|\\d{1,2}[.)][ \\t]+|or\\b)*([A-Za-z0-9]{3,16}(?:[- ]?[A-Za-z0-9]{3,16}){0,5})")
)

// recoveryCodes takes out the codes that follow their label, on its line and
// the next ones.
func recoveryCodes(s, _ string, lo, _ int, spans []span) []span {
	rest := s[lo:min(len(s), lo+1024)]
	m := codesLabel.FindStringIndex(rest)
	if m == nil {
		return spans
	}
	for at := m[1]; at < len(rest); {
		next := codeNext.FindStringSubmatchIndex(rest[at:])
		if next == nil {
			break
		}
		from, to := at+next[2], at+next[3]
		// "1234 5678" is one code, "1234-5678 done" is not.
		if i := strings.IndexByte(rest[from:to], ' '); i >= 0 {
			to = from + i
		}
		code := rest[from:to]
		if len(code) < 4 || countDigits(code) < 2 || !wordEnd(rest, to) {
			break
		}
		spans = append(spans, span{lo + from, lo + to, "recovery-code"})
		at = to
	}
	return spans
}

var spaced48 = regexp.MustCompile(`\b\d{6}(?:[ -]{1,3}\d{6}){7}\b`)

// spacedBitLocker finds recovery keys whose groups are apart by spaces.
func spacedBitLocker(s, _ string, _, hi int, spans []span) []span {
	end := min(len(s), hi+256)
	if m := spaced48.FindStringIndex(s[hi:end]); m != nil {
		spans = append(spans, span{hi + m[0], hi + m[1], "bitlocker-recovery-key"})
	}
	return spans
}
