package redact

import "strings"

// numberRules are found by their digits and dashes, not by a keyword.
var numberRules = []string{"card-number", "bitlocker-recovery-key", "product-key"}

// numbers adds cards, and keys that are groups between dashes.
func numbers(s string, spans []span) []span {
	for at := 0; ; {
		i := strings.IndexByte(s[at:], '-')
		if i < 0 {
			break
		}
		dash := at + i
		at = dash + 1
		if n := groups(s, dash, 6, 8, isDigit); n > 0 {
			spans = append(spans, span{dash - 6, dash - 6 + n, "bitlocker-recovery-key"})
			at = dash - 6 + n
		} else if n := groups(s, dash, 5, 5, func(c byte) bool { return isUpper(c) || isDigit(c) }); n > 0 && countDigits(s[dash-5:dash-5+n]) > 0 {
			spans = append(spans, span{dash - 5, dash - 5 + n, "product-key"})
			at = dash - 5 + n
		} else if n := groups(s, dash, 4, 6, isDigit); n > 0 {
			spans = append(spans, span{dash - 4, dash - 4 + n, "product-key"})
			at = dash - 4 + n
		}
	}
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			continue
		}
		if wordStart(s, i) {
			if n := card(s[i:]); n > 0 {
				spans = append(spans, span{i, i + n, "card-number"})
				i += n
			}
		}
		for i < len(s) && isAlnum(s[i]) {
			i++
		}
	}
	return spans
}

// groups is the length of count groups of size characters, apart by dashes,
// whose first dash is s[dash]; 0 when they are not there.
func groups(s string, dash, size, count int, is func(byte) bool) int {
	lo, n := dash-size, count*size+count-1
	if lo < 0 || lo+n > len(s) || !wordStart(s, lo) || lo > 0 && s[lo-1] == '-' || !wordEnd(s, lo+n) || lo+n < len(s) && s[lo+n] == '-' {
		return 0
	}
	for i := range n {
		if c := s[lo+i]; (i%(size+1) == size) != (c == '-') || c != '-' && !is(c) {
			return 0
		}
	}
	return n
}

// groupings are how the digits of cards are written.
var groupings = [][]int{{4, 4, 4, 4}, {4, 6, 5}, {4, 6, 4}, {13}, {14}, {15}, {16}, {19}}

// card is the length of the card number that s begins with, or 0.
func card(s string) int {
	if len(s) < 13 || s[0] < '2' || s[0] > '6' || !isDigit(s[1]) || !isDigit(s[2]) || !isDigit(s[3]) {
		return 0
	}
	var room [19]byte
next:
	for _, grouping := range groupings {
		digits := room[:0]
		at := 0
		for g, size := range grouping {
			if g > 0 {
				if at >= len(s) || s[at] != ' ' && s[at] != '-' {
					continue next
				}
				at++
			}
			for range size {
				if at >= len(s) || !isDigit(s[at]) {
					continue next
				}
				digits = append(digits, s[at]-'0')
				at++
			}
		}
		if wordEnd(s, at) && isCard(digits) {
			return at
		}
	}
	return 0
}

// isCard tells whether digits are the number of a payment card: a known
// issuer, its length, and a right check digit (ISO/IEC 7812).
func isCard(digits []byte) bool {
	prefix := int(digits[0])*1000 + int(digits[1])*100 + int(digits[2])*10 + int(digits[3])
	n := len(digits)
	switch {
	case prefix/1000 == 4 && (n == 13 || n == 16 || n == 19): // Visa
	case (prefix/100 >= 51 && prefix/100 <= 55 || prefix >= 2221 && prefix <= 2720) && n == 16: // Mastercard
	case (prefix/100 == 34 || prefix/100 == 37) && n == 15: // American Express
	case (prefix == 6011 || prefix/100 == 65 || prefix/10 >= 644 && prefix/10 <= 649) && n == 16: // Discover
	case (prefix/100 == 36 || prefix/100 == 38 || prefix/10 >= 300 && prefix/10 <= 305) && n == 14: // Diners
	case prefix >= 3528 && prefix <= 3589 && n == 16: // JCB
	default:
		return false
	}
	sum := 0
	for i, d := range digits {
		v := int(d)
		if (n-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

func countDigits(s string) int {
	n := 0
	for i := range len(s) {
		if isDigit(s[i]) {
			n++
		}
	}
	return n
}
