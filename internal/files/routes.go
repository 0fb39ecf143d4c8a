package files

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"files"}, Summary: summary,
			Security: httpx.Bearer, DefaultStatus: status}
	}
	httpx.Register(api, op("list-files", "GET", "/files", "Your files, and how much room they take", 200), s.listFiles)
	httpx.Register(api, op("create-file", "POST", "/files", "Begin to upload a file, for messages in a room", 201),
		s.createFile)
	httpx.Register(api, op("get-file", "GET", "/files/{file}", "One of your files, with the parts that are here", 200),
		s.getFile)
	whole := op("upload-file", "POST", "/rooms/{room}/files",
		"Upload a file of at most 8 MiB in one request, for messages in a room: the body is its content", 201)
	whole.MaxBodyBytes, whole.Metadata = domain.FilePart+1, httpx.ForStream()
	whole.RequestBody = anyBytes()
	httpx.Register(api, whole, s.uploadFile)
	part := op("put-file-part", "PUT", "/files/{file}/parts/{n}",
		"Send a part of a file: part_size bytes, the last one what is left. Parts come in any order, and again", 204)
	part.MaxBodyBytes, part.Metadata = domain.FilePart+1, httpx.ForStream()
	part.RequestBody = anyBytes()
	httpx.Register(api, part, s.putPart)
	httpx.Register(api, op("complete-file", "POST", "/files/{file}/complete",
		"Put the parts together, so that messages can have the file", 200), s.completeFile)
	httpx.Register(api, op("delete-file", "DELETE", "/files/{file}", "Delete one of your files that no message has", 204),
		s.deleteFile)
	httpx.Register(api, op("link-files", "POST", "/files/links",
		"Links to files that you may read, for pictures in pages; they end, and give nothing that you may not read by then",
		200), s.linkFiles)
	httpx.Register(api, op("list-room-files", "GET", "/rooms/{room}/files",
		"The files of a room's messages, the newest first", 200), s.listRoomFiles)
}

// anyBytes is a body of bytes.
func anyBytes() *huma.RequestBody {
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
}

// OnFile is the input of operations on one file.
type OnFile struct {
	File string `path:"file" maxLength:"64"`
}

// OwnFile is a file as its owner sees it.
type OwnFile struct {
	wire.File
	State     string     `json:"state" enum:"uploading,ready"`
	Room      string     `json:"room" doc:"that it was uploaded for"`
	PartSize  int64      `json:"part_size" doc:"bytes of each part but the last"`
	Parts     []int      `json:"parts,omitempty" doc:"numbers of those that are here, while it is uploading"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"it is deleted then, if no message has it; absent: one has"`
}

type fileOutput struct{ Body OwnFile }

func ownFile(f domain.File) OwnFile {
	v := OwnFile{File: wire.FromFile(f), State: string(f.State), Room: f.Room, PartSize: domain.FilePart,
		CreatedAt: f.Created}
	if !f.Expires.IsZero() {
		v.ExpiresAt = &f.Expires
	}
	if f.State == domain.FileUploading {
		for _, p := range f.Parts {
			v.Parts = append(v.Parts, p.N)
		}
	}
	return v
}

func fileOut(f domain.File, err error) (*fileOutput, error) {
	if err != nil {
		return nil, err
	}
	return &fileOutput{ownFile(f)}, nil
}

// FileList is a page of one's files.
type FileList struct {
	Items   []OwnFile `json:"items" nullable:"false"`
	Next    string    `json:"next,omitempty" doc:"Cursor of the next page; absent on the last."`
	Used    int64     `json:"used" doc:"bytes that your files take, those of open uploads as well"`
	Quota   int64     `json:"quota,omitempty" doc:"bytes that they may take; absent: no limit"`
	MaxSize int64     `json:"max_size" doc:"bytes that one file may have"`
}

func (s *Service) listFiles(ctx context.Context, in *struct {
	Sort   string `query:"sort" enum:"newest,size" default:"newest" doc:"size: the largest first"`
	Cursor string `query:"cursor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body FileList }, error) {
	p, after := httpx.Principal(ctx), 0
	if in.Cursor != "" {
		if err := httpx.DecodeCursor(in.Cursor, &after); err != nil {
			return nil, err
		}
	}
	found, err := s.Store.OwnFiles(ctx, p.ID, in.Sort == "size", max(after, 0), in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := FileList{Items: []OwnFile{}, Quota: s.Limits.Quota, MaxSize: s.Limits.Size}
	if out.Used, err = s.Store.Use(ctx, p.ID); err != nil {
		return nil, err
	}
	for _, f := range found[:min(in.Limit, len(found))] {
		out.Items = append(out.Items, ownFile(f))
	}
	if len(found) > in.Limit {
		out.Next = httpx.EncodeCursor(after + in.Limit)
	}
	return &struct{ Body FileList }{out}, nil
}

func (s *Service) createFile(ctx context.Context, in *struct {
	Body struct {
		Room string `json:"room" doc:"where it will be posted; you must be allowed to upload files there"`
		Name string `json:"name" minLength:"1" maxLength:"1024" example:"photo.jpg"`
		Size int64  `json:"size" doc:"bytes"`
	}
}) (*fileOutput, error) {
	return fileOut(s.Begin(ctx, httpx.Principal(ctx), in.Body.Room, in.Body.Name, in.Body.Size))
}

func (s *Service) getFile(ctx context.Context, in *OnFile) (*fileOutput, error) {
	return fileOut(s.Own(ctx, httpx.Principal(ctx), in.File))
}

// WholeInput is a file, which arrives while it is read.
type WholeInput struct {
	Room       string `path:"room" maxLength:"64"`
	Name       string `query:"name" required:"true" minLength:"1" maxLength:"1024" example:"photo.jpg"`
	Key        string `query:"key" doc:"idempotency key: who sends a file again by the same key gets the first one"`
	SHA256     string `query:"sha256" maxLength:"64" doc:"of the file; absent: it is not checked"`
	Width      int    `query:"width" doc:"pixels of a video, as the client has found"`
	Height     int    `query:"height"`
	DurationMS int64  `query:"duration_ms" minimum:"0" maximum:"604800000" doc:"of audio or video"`
	size       int64
	body       io.Reader
}

// Resolve implements huma.Resolver.
func (in *WholeInput) Resolve(ctx huma.Context) []error {
	in.body, in.size = ctx.BodyReader(), httpx.BodyLength(ctx)
	return nil
}

func (s *Service) uploadFile(ctx context.Context, in *WholeInput) (*fileOutput, error) {
	return fileOut(s.Upload(ctx, httpx.Principal(ctx), Whole{Room: in.Room, Name: in.Name, Key: in.Key, Size: in.size,
		Completion: Completion{SHA256: in.SHA256, Width: in.Width, Height: in.Height,
			Duration: time.Duration(in.DurationMS) * time.Millisecond}}, in.body))
}

// PartInput is a part of a file, which arrives while it is read.
type PartInput struct {
	OnFile
	N      int    `path:"n" minimum:"0" maximum:"9999"`
	SHA256 string `query:"sha256" maxLength:"64" doc:"of the part; absent: it is not checked"`
	size   int64
	body   io.Reader
}

// Resolve implements huma.Resolver.
func (in *PartInput) Resolve(ctx huma.Context) []error {
	in.body, in.size = ctx.BodyReader(), httpx.BodyLength(ctx)
	return nil
}

func (s *Service) putPart(ctx context.Context, in *PartInput) (*struct{}, error) {
	return nil, s.AddPart(ctx, httpx.Principal(ctx), in.File, Part{in.N, in.size, in.SHA256}, in.body)
}

func (s *Service) completeFile(ctx context.Context, in *struct {
	OnFile
	Body struct {
		SHA256     string `json:"sha256,omitempty" maxLength:"64" doc:"of the whole file; absent: it is not checked"`
		Width      int    `json:"width,omitempty" doc:"pixels of a video, as the client has found"`
		Height     int    `json:"height,omitempty"`
		DurationMS int64  `json:"duration_ms,omitempty" minimum:"0" maximum:"604800000" doc:"of audio or video"`
	} `required:"false"`
}) (*fileOutput, error) {
	b := in.Body
	return fileOut(s.Complete(ctx, httpx.Principal(ctx), in.File, Completion{SHA256: b.SHA256, Width: b.Width,
		Height: b.Height, Duration: time.Duration(b.DurationMS) * time.Millisecond}))
}

func (s *Service) deleteFile(ctx context.Context, in *OnFile) (*struct{}, error) {
	return nil, s.Delete(ctx, httpx.Principal(ctx), in.File)
}

// LinkList are links to files.
type LinkList struct {
	ExpiresAt time.Time        `json:"expires_at" doc:"when all of them end; ask for new ones before"`
	Links     map[string]Links `json:"links" doc:"by the id of the file; those that you may not read are missing"`
}

func (s *Service) linkFiles(ctx context.Context, in *struct {
	Body struct {
		Files []string `json:"files" maxItems:"100" nullable:"false" doc:"ids"`
	}
}) (*struct{ Body LinkList }, error) {
	links, until, err := s.LinksOf(ctx, httpx.Principal(ctx), in.Body.Files)
	if err != nil {
		return nil, err
	}
	return &struct{ Body LinkList }{LinkList{until, links}}, nil
}

// RoomFile is a file of a message in a room.
type RoomFile struct {
	Room   string    `json:"room"`
	Seq    int64     `json:"seq" doc:"number of the message"`
	Sender wire.User `json:"sender"`
	At     time.Time `json:"at" doc:"when the message was written"`
	File   wire.File `json:"file"`
}

func (s *Service) listRoomFiles(ctx context.Context, in *struct {
	Room   string `path:"room" maxLength:"64"`
	Q      string `query:"q" maxLength:"100" doc:"the beginning of a word in the name"`
	Kind   string `query:"kind" enum:"image,video,audio,other"`
	Before int64  `query:"before" minimum:"0" doc:"files of messages with lower numbers; next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"roughly: those of a message come together"`
}) (*struct{ Body httpx.Page[RoomFile] }, error) {
	v, err := s.Rooms.ViewOf(ctx, httpx.Principal(ctx), in.Room)
	if err != nil {
		return nil, err
	}
	limit := in.Limit + domain.MaxAttachments
	found, err := s.Store.RoomFiles(ctx, v, domain.RoomFilesQuery{Words: in.Q, Kind: domain.FileKind(in.Kind),
		Before: in.Before, Limit: limit})
	if err != nil {
		return nil, err
	}
	out := httpx.Page[RoomFile]{Items: []RoomFile{}}
	more := len(found) == limit
	if more { // of the last message perhaps not all are there
		last := found[limit-1].Seq
		for found[len(found)-1].Seq == last {
			found = found[:len(found)-1]
		}
		out.Next = strconv.FormatInt(found[len(found)-1].Seq, 10)
	}
	for _, f := range found {
		out.Items = append(out.Items, RoomFile{in.Room, f.Seq, wire.FromUser(f.Sender), f.At, wire.FromFile(f.File)})
	}
	return &struct{ Body httpx.Page[RoomFile] }{out}, nil
}
