package history

import (
	"encoding/json"
	"strings"
	"testing"
)

// Whoever searches is told that older messages are not found yet.
func TestASearchSaysThatItIsIncomplete(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(searchOutput{Items: []hit{}, Next: "c", Incomplete: true})
	if err != nil || !strings.Contains(string(b), `"incomplete":true`) || !strings.Contains(string(b), `"next":"c"`) {
		t.Errorf("%s, %v", b, err)
	}
}
