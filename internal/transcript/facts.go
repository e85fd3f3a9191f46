package transcript

import (
	"net/netip"
	"regexp"
	"strings"

	"github.com/baton-handoff/baton/models"
)

// Fact is something that the steps mention about the customer's systems.
type Fact struct {
	Text string
	Seq  int // the first step that mentions it
}

// FactList is the facts of one kind, each once, in the order of their steps.
type FactList struct {
	Kind  string
	Facts []Fact
}

// pattern recognises facts of one kind. The fact is the last group that took
// part in a match.
type pattern struct {
	kind   string
	match  []*regexp.Regexp
	accept func(text string, match []int) bool
	same   func(a, b string) bool
}

const hostName = `[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9](?:\.[A-Za-z0-9-]+)*`

// patterns are for forms that mean one thing only; a fact that is wrong costs a
// reader more than one that is missing. Commands name hosts by parameter,
// outputs by label, both by UNC path.
var patterns = []pattern{
	{
		kind: "Hosts",
		match: []*regexp.Regexp{regexp.MustCompile(`(?im)` +
			`(?:^|[\s"'(=])\\\\(` + hostName + `)` +
			`|\s-(?:ComputerName|CimSession|VMName)\s+(` + hostName + `)` +
			`|\b(?:Enter-PSSession|Invoke-Command|Test-NetConnection|Restart-Computer|Test-Connection|nslookup|ping|tracert|ssh) (` + hostName + `)` +
			`|\s/(?:server|v|s):(` + hostName + `)` +
			`|^\[(` + hostName + `)\]: PS ` +
			`|^[ \t]*(?:Host ?Name|Device ?Name|Computer ?Name|Server)[ .\t]*:[ \t]*(` + hostName + `)[ \t]*$`)},
		accept: func(text string, m []int) bool {
			// Most names of machines have one of these and few words do.
			return strings.ContainsAny(lastGroup(text, m), "0123456789-.")
		},
		same: func(a, b string) bool {
			// The short name and the full one are the same host.
			a, b = strings.ToLower(a), strings.ToLower(b)
			return a == b || strings.HasPrefix(a, b+".") || strings.HasPrefix(b, a+".")
		},
	},
	{
		kind:   "Addresses",
		match:  []*regexp.Regexp{regexp.MustCompile(`\b(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?:/\d{1,2})?)\b`)},
		accept: isAddress,
	},
	{
		kind: "Systems",
		match: []*regexp.Regexp{regexp.MustCompile(`\b(Windows (?:7|8\.1|10|11|Server 20\d\d(?: R2)?)` +
			`(?: (?:Home|Pro|Enterprise|Education|Standard|Datacenter))?(?: \d\dH[12])?` +
			`|(?:macOS|Ubuntu|Debian|iOS|iPadOS|Android|Red Hat Enterprise Linux|VMware ESXi) \d+(?:\.\d+)*)\b`)},
	},
	{
		kind: "Software",
		match: []*regexp.Regexp{
			regexp.MustCompile(`\b((?:Outlook|Teams|OneDrive|Excel|Word|Edge|Chrome|Firefox|Acrobat|FortiClient(?: VPN)?|` +
				`GlobalProtect|AnyConnect|WireGuard|OpenVPN|Veeam Backup & Replication|SQL Server|Exchange Server|AutoCAD)` +
				` (?:version |v)?\d[\d.]*\d(?: \(Build [\d.]+\))?)`),
			regexp.MustCompile(`\b([A-Z][A-Za-z0-9-]+ v\d+\.\d+(?:\.\d+)*)\b`),
			regexp.MustCompile(`\b(KB\d{6,7})\b`),
		},
	},
	{
		kind: "Error codes",
		match: []*regexp.Regexp{
			regexp.MustCompile(`\b(0x[8Cc][0-9A-Fa-f]{7}|AADSTS\d{5,7})\b`),
		},
		same: strings.EqualFold,
	},
	{
		kind: "Event ids",
		match: []*regexp.Regexp{
			regexp.MustCompile(`(?im)\bevent (?:id )?(\d{1,5})\b|^Id\s*: (\d{1,5})$`),
		},
	},
	{
		kind:  "Accounts",
		match: []*regexp.Regexp{regexp.MustCompile(`\b([A-Za-z0-9][\w.+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)\b`)},
		same:  strings.EqualFold,
	},
}

// Facts finds what the steps say about the customer's systems.
func Facts(steps []models.Step) []FactList {
	var lists []FactList
	for _, p := range patterns {
		list := FactList{Kind: p.kind}
		for _, step := range steps {
			if step.Actor == models.ActorAssistant {
				continue // it speaks of what could be
			}
			for _, re := range p.match {
				list.add(p, re, step)
			}
		}
		if len(list.Facts) > 0 {
			lists = append(lists, list)
		}
	}
	return lists
}

func (l *FactList) add(p pattern, re *regexp.Regexp, step models.Step) {
	for _, m := range re.FindAllStringSubmatchIndex(step.Text, -1) {
		text := lastGroup(step.Text, m)
		if p.accept != nil && !p.accept(step.Text, m) {
			continue
		}
		if !l.has(text, p.same) {
			l.Facts = append(l.Facts, Fact{text, step.Seq})
		}
	}
}

func (l *FactList) has(text string, same func(a, b string) bool) bool {
	for _, f := range l.Facts {
		if f.Text == text || same != nil && same(f.Text, text) {
			return true
		}
	}
	return false
}

func lastGroup(text string, m []int) string {
	for i := len(m) - 2; i >= 2; i -= 2 {
		if m[i] >= 0 {
			return text[m[i]:m[i+1]]
		}
	}
	return ""
}

// isAddress tells an IPv4 address of a machine from a version number, a mask
// or an address that means no machine.
func isAddress(text string, m []int) bool {
	bare, _, isNetwork := strings.Cut(text[m[2]:m[3]], "/")
	ip, err := netip.ParseAddr(bare)
	if err != nil || !isNetwork && (ip.As4()[3] == 0 || ip.As4()[3] == 255) || ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() || ip.As4()[0] == 0 || ip.As4()[0] == 255 {
		return false
	}
	if m[1] < len(text)-1 && text[m[1]] == '.' && text[m[1]+1] >= '0' && text[m[1]+1] <= '9' {
		return false // five parts or more
	}
	before := strings.ToLower(text[max(0, m[0]-12):m[0]])
	return !strings.Contains(before, "version") && !strings.HasSuffix(before, "v") && !strings.HasSuffix(before, ".")
}
