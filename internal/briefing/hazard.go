package briefing

import "regexp"

// hazards are actions that nobody should take because a text told them to.
var hazards = []struct {
	words *regexp.Regexp
	what  string
}{
	{regexp.MustCompile(`(?i)\b(?:disabl\w*|turn\w* off|switch\w* off|remov\w*|bypass\w*|exclu\w+|skip\w*|suspend\w*|deactivat\w*)\b.{0,60}\b(?:MFA|2FA|multi-?factor|authenticator|conditional access|firewall|antivirus|anti-virus|defender|EDR|tamper protection|UAC|SELinux|TLS|certificate (?:check|validation)|audit\w*|logging|policy)\b`), "weakens security"},
	{regexp.MustCompile(`(?i)\b(?:delete|delet\w+|wipe|format|purge|remove-item|rm -rf|diskpart|drop (?:table|database)|del /)\b.{0,60}\b(?:backups?|restore points?|snapshots?|shadow\w*|vib|vbk|database|volume|disk|share|mailbox|profile|logs?|ost)\b`), "destroys data"},
	{regexp.MustCompile(`(?i)\b(?:vssadmin delete|cipher /w|bcdedit|rm -rf /|mimikatz|Invoke-Expression|IEX\b|DownloadString|curl [^|]*\|\s*(?:ba)?sh)`), "is a pattern of attacks"},
	{regexp.MustCompile(`(?i)\b(?:send|e-?mail|share|post|forward|give)\b.{0,40}\b(?:passwords?|credentials?|secrets?|keys?|tokens?)\b`), "gives credentials away"},
}

// hazard says what an action would do that needs a second thought; "" when no
// rule knows of anything.
func hazard(action string) string {
	for _, h := range hazards {
		if h.words.MatchString(action) {
			return h.what
		}
	}
	return ""
}
