package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/unhidra/unhidra/internal/domain"
)

// Expect is what a person knows about the log from elsewhere, for example from a receiver or a
// printout. Nothing else reveals that the end of the log was deleted together with everything the
// store knew about it.
type Expect struct {
	Seq  int64
	Hash []byte // of record Seq; nil: any
}

// Report is what Verify found.
type Report struct {
	Chain       string
	First, Last int64 // numbers of the existing records
	Hash        []byte
	Records     int64
	Erased      int64 // records with erased personal data, also in part
	Checkpoints int64
	Checked     int64 // the last record covered by a checkpoint
	Segments    int   // deleted days
	Problems    []Problem
	More        bool // there are more problems than listed
}

// Problem is a difference from what was recorded.
type Problem struct {
	Seq  int64
	What string
}

func (p Problem) String() string { return "record " + strconv.FormatInt(p.Seq, 10) + ": " + p.What }

// Intact reports whether no problem was found.
func (r *Report) Intact() bool { return len(r.Problems) == 0 }

const (
	maxProblems = 20
	pageLength  = 1000
)

// A verifier walks the log from its first record.
type verifier struct {
	Reader
	key   ed25519.PublicKey
	head  domain.AuditHead
	r     *Report
	seq   int64 // the last record read
	hash  []byte
	day   int64
	check checkpoints
}

// checkpoints are the checkpoints that the walk has not reached.
type checkpoints struct {
	page []domain.AuditCheckpoint
	seq  int64 // of the last one fetched
	sum  []byte
	end  bool
}

// Verify reads the whole log. It checks every hash and signature, the segments of deleted days, and
// the remaining personal data. An error means that the log could not be read; problems in the log
// are in the Report. Records may be added meanwhile.
func Verify(ctx context.Context, store Reader, key ed25519.PublicKey, expect *Expect) (*Report, error) {
	v := &verifier{Reader: store, key: key, r: &Report{}}
	var err error
	if v.head, err = store.AuditHead(ctx); err != nil {
		return nil, err
	}
	v.r.Chain = v.head.Chain
	segments, err := store.AuditSegments(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range segments {
		v.segment(s)
	}
	if err := v.checkpointsTo(ctx, v.seq, true); err != nil {
		return nil, err
	}
	v.r.First = v.seq + 1
	expected := expect == nil || expect.Seq <= v.seq
	for {
		page, err := store.AuditRecords(ctx, domain.AuditFilter{After: v.seq, Oldest: true, Limit: pageLength})
		if err != nil {
			return nil, err
		}
		for _, rec := range page {
			if err := v.record(ctx, rec); err != nil {
				return nil, err
			}
			if expect != nil && rec.Seq == expect.Seq {
				expected = true
				if expect.Hash != nil && !bytes.Equal(expect.Hash, v.hash) {
					v.found(rec.Seq, "is not the record that was expected: its hash is %x", v.hash)
				}
			}
		}
		if len(page) < pageLength {
			break
		}
	}
	if err := v.ends(ctx); err != nil {
		return nil, err
	}
	if !expected {
		v.found(expect.Seq, "was expected, and the log ends with %d: its end was cut off", v.seq)
	}
	v.r.Last, v.r.Hash = v.seq, v.hash
	return v.r, nil
}

func (v *verifier) found(seq int64, format string, args ...any) {
	if len(v.r.Problems) == maxProblems {
		v.r.More = true
		return
	}
	v.r.Problems = append(v.r.Problems, Problem{seq, fmt.Sprintf(format, args...)})
}

// segment checks the segment of deleted records, and moves the walk past them.
func (v *verifier) segment(s domain.AuditSegment) {
	o, err := parse(s.Body)
	if err == nil {
		err = signed(v.key, segmentLabel, s.Body, s.Sig)
	}
	switch {
	case err != nil:
		v.found(s.Last, "what stands for deleted records up to here was changed: %v", err)
	case o.str("chain") != v.head.Chain || o.int("first") != s.First || o.int("last") != s.Last:
		v.found(s.Last, "what stands for deleted records up to here is about others")
	case s.First != v.seq+1:
		v.found(s.First, "deleted records begin here, and those before end with %d", v.seq)
	case o.str("before") != hex.EncodeToString(v.hash):
		v.found(s.First, "deleted records begin here that do not follow on those before")
	}
	v.seq, v.day = s.Last, o.int("day")
	v.hash, _ = hex.DecodeString(o.str("hash"))
	v.r.Segments++
}

// record checks one record. The walk continues with the stored hash, so that one bad record is
// reported once and not for all that follow.
func (v *verifier) record(ctx context.Context, rec domain.AuditRecord) error {
	switch {
	case rec.Seq == v.seq+2:
		v.found(v.seq+1, "is missing")
	case rec.Seq > v.seq+2:
		v.found(v.seq+1, "is missing, and all up to %d", rec.Seq-1)
	}
	follows := rec.Seq == v.seq+1
	o, err := parse(rec.Body)
	switch {
	case err != nil:
		v.found(rec.Seq, "was changed: it %v", err)
	case follows && !bytes.Equal(link(v.hash, rec.Body), rec.Hash):
		v.found(rec.Seq, "was changed, or the one before: its hash does not fit")
	case o.int("seq") != rec.Seq:
		v.found(rec.Seq, "is number %d in its own text: records were exchanged", o.int("seq"))
	case o.str("type") != rec.Type || o.str("actor_id") != rec.Actor || o.str("target_id") != rec.Target ||
		!sameTime(o.str("time"), rec.Time) || rec.Day != max(v.day, dayOf(rec.Time)) && follows:
		v.found(rec.Seq, "was changed: what it is found by does not agree with its text")
	default:
		v.personal(rec, o.obj("personal"))
	}
	v.seq, v.hash, v.day = rec.Seq, rec.Hash, rec.Day
	v.r.Records++
	return v.checkpointsTo(ctx, rec.Seq, false)
}

// personal checks the personal data of a record that are not erased.
func (v *verifier) personal(rec domain.AuditRecord, hashes object) {
	if len(rec.Personal) < len(hashes) {
		v.r.Erased++
	}
	for name, value := range rec.Personal {
		if hashes.str(name) != salted(rec.Salt, name, value) {
			v.found(rec.Seq, "its personal data were changed (%s)", name)
		}
	}
}

// checkpointsTo checks the checkpoints up to record seq, which the walk has reached. For deleted
// records it can only check the signatures.
func (v *verifier) checkpointsTo(ctx context.Context, seq int64, deleted bool) error {
	c := &v.check
	for {
		if len(c.page) == 0 && !c.end {
			page, err := v.AuditCheckpoints(ctx, c.seq, pageLength)
			if err != nil {
				return err
			}
			c.page, c.end = page, len(page) == 0
			if c.end {
				return nil
			}
			c.seq = page[len(page)-1].Seq
		}
		if len(c.page) == 0 || c.page[0].Seq > seq {
			return nil
		}
		v.checkpoint(c.page[0], deleted)
		c.page = c.page[1:]
	}
}

func (v *verifier) checkpoint(c domain.AuditCheckpoint, deleted bool) {
	o, err := parse(c.Body)
	if err == nil {
		err = signed(v.key, checkpointLabel, c.Body, c.Sig)
	}
	sum := sha256.Sum256(c.Body)
	switch {
	case err != nil:
		v.found(c.Seq, "its checkpoint was changed: %v", err)
	case o.int("seq") != c.Seq || o.str("chain") != v.head.Chain || !bytes.Equal(sum[:], c.Sum):
		v.found(c.Seq, "its checkpoint is about another record")
	case o.str("prev") != hex.EncodeToString(v.check.sum):
		v.found(c.Seq, "a checkpoint before this one's is missing or was changed")
	case !deleted && (c.Seq != v.seq || o.str("hash") != hex.EncodeToString(v.hash)):
		v.found(c.Seq, "is not the record that its checkpoint signed")
	}
	v.check.sum = sum[:]
	v.r.Checkpoints++
	v.r.Checked = c.Seq
}

// ends checks that the log ends where the store and the checkpoints say.
func (v *verifier) ends(ctx context.Context) error {
	if v.seq < v.head.Seq {
		v.found(v.seq+1, "is missing, and all up to %d: the end of the log was cut off", v.head.Seq)
	} else if v.seq == v.head.Seq && v.seq > 0 && !bytes.Equal(v.hash, v.head.Hash) {
		v.found(v.seq, "is not the one that the log should end with")
	}
	rest, err := v.AuditCheckpoints(ctx, v.seq, 1)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		v.found(rest[0].Seq, "a checkpoint signed it, and it is missing: the end of the log was cut off")
	}
	if v.r.Checked < v.head.Check {
		v.found(v.head.Check, "its checkpoint is missing")
	}
	return nil
}
