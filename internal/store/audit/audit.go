package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// AppendAudit appends to the audit log what seal returns for the current head: rows, and a
// checkpoint if it is not nil. chain names the log if this creates it. seal may be called more than
// once; only its last result is stored. Concurrent calls, also of other nodes, wait for each other,
// so that the log has one order.
func (repo *Repository) AppendAudit(
	ctx context.Context, chain string, seal func(domain.AuditHead) ([]domain.AuditRow, *domain.AuditCheckpoint, error),
) (head domain.AuditHead, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var err error
		if head, err = headForUpdate(ctx, t, chain); err != nil {
			return err
		}
		rows, check, err := seal(head)
		if err != nil || len(rows) == 0 && check == nil {
			return err
		}
		if err := insertAudit(ctx, t, rows); err != nil {
			return err
		}
		if n := len(rows); n > 0 {
			head.Seq, head.Hash, head.Day = rows[n-1].Seq, rows[n-1].Hash, rows[n-1].Day
		}
		if check != nil {
			if _, err := t.ExecContext(ctx, `INSERT INTO audit_checkpoints (seq, body, sig, sum) VALUES ($1, $2, $3, $4)`,
				check.Seq, check.Body, check.Sig, check.Sum); err != nil {
				return err
			}
			head.Check, head.CheckSum = check.Seq, check.Sum
		}
		_, err = t.ExecContext(ctx,
			`UPDATE audit_chain SET seq = $1, hash = $2, day = $3, check_seq = $4, check_sum = $5 WHERE id = 1`,
			head.Seq, head.Hash, head.Day, head.Check, blob(head.CheckSum))
		return err
	})
	return head, err
}

// blob replaces nil by an empty value, for columns that are NOT NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// headForUpdate returns the head of the chain and locks it. If there is no log it creates one named
// chain, or returns sql.ErrNoRows if chain is empty.
func headForUpdate(ctx context.Context, t *store.Tx, chain string) (domain.AuditHead, error) {
	h, err := headOf(ctx, t, t.ForUpdate())
	if !errors.Is(err, sql.ErrNoRows) || chain == "" {
		return h, err
	}
	_, err = t.ExecContext(ctx,
		`INSERT INTO audit_chain (id, chain, seq, hash, day, check_seq, check_sum) VALUES (1, $1, 0, $2, 0, 0, $2)
			ON CONFLICT DO NOTHING`, chain, []byte{})
	if err != nil {
		return h, err
	}
	return headOf(ctx, t, t.ForUpdate())
}

func headOf(ctx context.Context, q store.Queryer, lock string) (h domain.AuditHead, err error) {
	err = q.QueryRowContext(ctx, `SELECT chain, seq, hash, day, check_seq, check_sum FROM audit_chain WHERE id = 1`+lock).
		Scan(&h.Chain, &h.Seq, &h.Hash, &h.Day, &h.Check, &h.CheckSum)
	return h, err
}

// auditRowsAtOnce keeps the number of arguments of a statement below the limits of both databases.
const auditRowsAtOnce = 100

func insertAudit(ctx context.Context, t *store.Tx, rows []domain.AuditRow) error {
	for len(rows) > 0 {
		some := rows[:min(len(rows), auditRowsAtOnce)]
		rows = rows[len(some):]
		args := make([]any, 0, 8*len(some))
		var personal []any
		for _, r := range some {
			args = append(args, r.Seq, r.Day, store.Millis(r.Time), r.Type, r.Actor, r.Target, r.Body, r.Hash)
			if r.Personal != nil {
				personal = append(personal, r.Seq, r.Actor, store.Millis(r.Time), r.Salt, r.Personal)
			}
		}
		if _, err := t.ExecContext(ctx, `INSERT INTO audit_records (seq, day, at, type, actor, target, body, hash) VALUES `+
			t.ValuesList(len(some), 8), args...); err != nil {
			return err
		}
		if len(personal) == 0 {
			continue
		}
		if _, err := t.ExecContext(ctx, `INSERT INTO audit_personal (seq, actor, at, salt, data) VALUES `+
			t.ValuesList(len(personal)/5, 5), personal...); err != nil {
			return err
		}
	}
	return nil
}

// AuditHead returns the head of the chain. Its Chain is empty if there is no log.
func (repo *Repository) AuditHead(ctx context.Context) (domain.AuditHead, error) {
	h, err := headOf(ctx, repo.db, "")
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return h, err
}

const auditColumns = `r.seq, r.day, r.at, r.type, r.actor, r.target, r.hash, r.body, COALESCE(p.salt, $1),
	COALESCE(p.data, $1) FROM audit_records r LEFT JOIN audit_personal p ON p.seq = r.seq`

// AuditRecords returns the records that match f.
func (repo *Repository) AuditRecords(ctx context.Context, f domain.AuditFilter) ([]domain.AuditRecord, error) {
	where, args, order := repo.where(f)
	query := `SELECT ` + auditColumns
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, " AND ")
	}
	rows, err := repo.db.QueryContext(ctx, query+` ORDER BY r.seq `+order+` LIMIT `+strconv.Itoa(f.Limit), args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanAudit)
}

// where returns the SQL conditions of f, their arguments, and the sort order.
func (repo *Repository) where(f domain.AuditFilter) (where []string, args []any, order string) {
	args = []any{[]byte{}} // $1 stands for erased personal data
	add := func(condition string, v any) {
		args = append(args, v)
		where = append(where, strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(args))))
	}
	order = "DESC"
	if f.Oldest {
		order = "ASC"
	}
	if f.After > 0 {
		add("r.seq > ?", f.After)
	}
	if f.Before > 0 {
		add("r.seq < ?", f.Before)
	}
	if len(f.Types) > 0 {
		var any []string
		for _, t := range f.Types {
			op := "r.type = $"
			if prefix, ok := strings.CutSuffix(t, "*"); ok {
				args = append(args, prefix, prefix+"\x7f")
				any = append(any, "(r.type >= $"+strconv.Itoa(len(args)-1)+" AND r.type < $"+strconv.Itoa(len(args))+")")
				continue
			}
			args = append(args, t)
			any = append(any, op+strconv.Itoa(len(args)))
		}
		where = append(where, "("+strings.Join(any, " OR ")+")")
	}
	if f.Actor != "" {
		add("r.actor = ?", f.Actor)
	}
	if f.Target != "" {
		add("r.target = ?", f.Target)
	}
	if f.Outcome != "" {
		// A quote inside a value is escaped by a backslash, so this matches only the field itself.
		add(repo.db.Contains("r.body"), []byte(`"outcome":"`+string(f.Outcome)+`"`))
	}
	if !f.From.IsZero() {
		add("r.at >= ?", store.Millis(f.From))
	}
	if !f.To.IsZero() {
		add("r.at < ?", store.Millis(f.To))
	}
	return where, args, order
}

func scanAudit(rows *sql.Rows) (r domain.AuditRecord, err error) {
	var when int64
	var data []byte
	if err := rows.Scan(&r.Seq, &r.Day, &when, &r.Type, &r.Actor, &r.Target, &r.Hash, &r.Body, &r.Salt,
		&data); err != nil {
		return r, err
	}
	r.Time = store.Time(when)
	if len(data) > 0 {
		// Invalid JSON means that the row was tampered with. Verifying the log reports it.
		r.Personal = make(map[string]string)
		if json.Unmarshal(data, &r.Personal) != nil {
			r.Personal = map[string]string{"": string(data)}
		}
	}
	return r, nil
}

// AuditCheckpoints returns the checkpoints with numbers above after, in order.
func (repo *Repository) AuditCheckpoints(
	ctx context.Context, after int64, limit int,
) ([]domain.AuditCheckpoint, error) {
	rows, err := repo.db.QueryContext(ctx,
		`SELECT seq, body, sig, sum FROM audit_checkpoints WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (c domain.AuditCheckpoint, err error) {
		err = rows.Scan(&c.Seq, &c.Body, &c.Sig, &c.Sum)
		return c, err
	})
}

// AuditSegments returns the signed summaries of deleted records, in order.
func (repo *Repository) AuditSegments(ctx context.Context) ([]domain.AuditSegment, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT first_seq, last_seq, body, sig FROM audit_segments ORDER BY last_seq`)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (s domain.AuditSegment, err error) {
		err = rows.Scan(&s.First, &s.Last, &s.Body, &s.Sig)
		return s, err
	})
}

// OldestAuditDay returns the oldest day with records, and the numbers of its first and last record.
// day is 0 if there are no records.
func (repo *Repository) OldestAuditDay(ctx context.Context) (day, first, last int64, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT day, MIN(seq), MAX(seq) FROM audit_records
		WHERE day = (SELECT day FROM audit_records ORDER BY seq LIMIT 1) GROUP BY day`).Scan(&day, &first, &last)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return day, first, last, err
}

// DropAuditSegment deletes the records that s summarizes, and stores s. It fails with conflict for
// the last day of the log.
func (repo *Repository) DropAuditSegment(ctx context.Context, s domain.AuditSegment) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		head, err := headForUpdate(ctx, t, "")
		if err != nil {
			return err
		}
		if s.Last >= head.Seq {
			return domain.Conflict.Errorf(domain.CodeAuditSegmentOpen, "the last day of the audit log is not deleted")
		}
		res, err := t.ExecContext(ctx,
			`INSERT INTO audit_segments (last_seq, first_seq, body, sig) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, s.Last,
			s.First, s.Body, s.Sig)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, domain.Conflict.Errorf(domain.CodeAuditSegmentGone,
				"another node has deleted this day of the audit log"))
		}
		for _, table := range []string{"audit_records", "audit_personal"} {
			if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE seq BETWEEN $1 AND $2`, s.First, s.Last); err != nil {
				return err
			}
		}
		return nil
	})
}

// EraseAuditBefore erases the personal data of records from before a time.
func (repo *Repository) EraseAuditBefore(ctx context.Context, before time.Time) (n int64, err error) {
	return repo.eraseAudit(ctx, `DELETE FROM audit_personal WHERE at < $1`, store.Millis(before))
}

// EraseAuditActor erases the personal data of records with this actor.
func (repo *Repository) EraseAuditActor(ctx context.Context, actor string) (n int64, err error) {
	return repo.eraseAudit(ctx, `DELETE FROM audit_personal WHERE actor = $1`, actor)
}

func (repo *Repository) eraseAudit(ctx context.Context, query string, arg any) (n int64, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, query, arg)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}
