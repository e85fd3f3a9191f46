package redact
import ("testing";"os";"strings")
func TestDbg(t *testing.T){ r,_:=New([]byte("0123456789abcdef")); b,_:=os.ReadFile("/tmp/dbg.txt"); for _,l:=range strings.Split(string(b),"\n"){ t.Log(r.rules.find(l)," ",l)}}
