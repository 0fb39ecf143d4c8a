package roomlog

import (
	"database/sql"
	"encoding/json"

	"github.com/unhidra/unhidra/internal/domain"
)

// StoredFace is the form in which the log has the face of a message; nil: it has none.
func StoredFace(f *domain.Face) *string {
	if f == nil {
		return nil
	}
	stored, err := json.Marshal(f)
	if err != nil { // never: it has nothing but texts
		return nil
	}
	text := string(stored)
	return &text
}

// faceOf reads what StoredFace made. What cannot be read is none: the message is more.
func faceOf(stored sql.NullString) *domain.Face {
	var f domain.Face
	if !stored.Valid || json.Unmarshal([]byte(stored.String), &f) != nil {
		return nil
	}
	return domain.FaceOf(f)
}
