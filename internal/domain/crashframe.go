package domain

// CrashFrame is a function that an address of a crash is in. Of one address the first is the innermost; all but the
// last are inlined into the one after them.
type CrashFrame struct {
	Function string // as the compiler names it: of C++, mangled; empty: it is not known
	File     string
	Line     int // 0: it is not known
}

// Explanation is how far it is known what the addresses of a crash are.
type Explanation string

// The explanations.
const (
	NotExplained  Explanation = "no_elf"  // the ELF file of the firmware is not here
	ExplainsLater Explanation = "pending" // ask again in some seconds
	IsExplained   Explanation = "done"
	CannotExplain Explanation = "failed" // the file cannot be read, or has too much
)

// Calls are the addresses of the calls of a crash, the innermost first: where it was, and, of what calls return to, the
// byte before, which is within the call.
func (r CrashReport) Calls() []uint32 {
	if len(r.Backtrace) == 0 {
		return []uint32{r.PC}
	}
	calls := make([]uint32, len(r.Backtrace))
	for i, a := range r.Backtrace {
		calls[i] = a
		if (i > 0 || a != r.PC) && a > 0 {
			calls[i] = a - 1
		}
	}
	return calls
}
