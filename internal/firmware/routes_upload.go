package firmware

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

func (s *Service) uploadRoutes(api huma.API, op makeOp) {
	httpx.Register(api, op("list-uploads", "GET", "/products/{product}/uploads",
		"Your uploads to a product that no release has yet", 200), s.listUploads)
	httpx.Register(api, op("begin-upload", "POST", "/products/{product}/uploads",
		"Begin to upload a file, in parts of at most 1 MiB", 201), s.beginUpload)
	httpx.Register(api, op("get-upload", "GET", "/uploads/{upload}", "How much of a file is here", 200), s.getUpload)
	part := op("add-part", "PUT", "/uploads/{upload}/parts/{start}",
		"Send the next part of a file; start is how many bytes are here", 200)
	part.MaxBodyBytes = domain.FirmwarePart + 1
	httpx.Register(api, part, s.putPart)
	httpx.Register(api, op("complete-upload", "POST", "/uploads/{upload}/complete",
		"Put the parts together; of an image, the answer says what it is, and what is wrong with it", 200), s.completeUpload)
	httpx.Register(api, op("delete-upload", "DELETE", "/uploads/{upload}", "Forget an upload", 204), s.deleteUpload)
}

// OnUpload is the input of operations on one upload.
type OnUpload struct {
	Upload string `path:"upload" maxLength:"64"`
}

// FirmwareUpload is an upload as the API shows it.
type FirmwareUpload struct {
	ID        string            `json:"id"`
	Product   string            `json:"product"`
	Kind      string            `json:"kind" enum:"image,raw,elf,factory"`
	Size      int64             `json:"size"`
	Received  int64             `json:"received" doc:"bytes from the beginning that are here"`
	SHA256    string            `json:"sha256"`
	Image     *domain.ImageInfo `json:"image,omitempty" doc:"what a complete image says of itself"`
	ChangedAt time.Time         `json:"changed_at" doc:"it is forgotten a day later, unless a release has it"`
}

type uploadOutput struct{ Body FirmwareUpload }

func uploadView(u domain.FirmwareUpload) FirmwareUpload {
	return FirmwareUpload{ID: u.ID, Product: u.Product, Kind: string(u.Kind), Size: u.Size, Received: u.Received,
		SHA256: u.SHA256, Image: u.Info, ChangedAt: u.Changed}
}

func uploadOut(u domain.FirmwareUpload, err error) (*uploadOutput, error) {
	if err != nil {
		return nil, err
	}
	return &uploadOutput{uploadView(u)}, nil
}

type uploadList struct {
	Items []FirmwareUpload `json:"items" nullable:"false"`
}

func (s *Service) listUploads(ctx context.Context, in *OnProduct) (*struct{ Body uploadList }, error) {
	p := httpx.Principal(ctx)
	if _, _, err := s.Products.Product(ctx, in.Product, p.ID); err != nil {
		return nil, err
	}
	found, err := s.Uploads.Uploads(ctx, in.Product, p.ID)
	if err != nil {
		return nil, err
	}
	out := uploadList{make([]FirmwareUpload, len(found))}
	for i, u := range found {
		out.Items[i] = uploadView(u)
	}
	return &struct{ Body uploadList }{out}, nil
}

func (s *Service) beginUpload(ctx context.Context, in *struct {
	OnProduct
	Body struct {
		Kind   string `json:"kind,omitempty" enum:"image,raw,elf,factory" default:"image" doc:"raw: says nothing of itself"`
		Size   int64  `json:"size" minimum:"1" doc:"bytes"`
		SHA256 string `json:"sha256" maxLength:"64"`
	}
}) (*uploadOutput, error) {
	return uploadOut(s.BeginUpload(ctx, httpx.Principal(ctx), domain.FirmwareUpload{
		Product: in.Product, Kind: domain.UploadKind(in.Body.Kind), Size: in.Body.Size, SHA256: in.Body.SHA256}))
}

func (s *Service) getUpload(ctx context.Context, in *OnUpload) (*uploadOutput, error) {
	return uploadOut(s.Upload(ctx, httpx.Principal(ctx), in.Upload))
}

func (s *Service) putPart(ctx context.Context, in *struct {
	OnUpload
	Start   int64  `path:"start" minimum:"0"`
	RawBody []byte `contentType:"application/octet-stream"`
}) (*uploadOutput, error) {
	return uploadOut(s.AddPart(ctx, httpx.Principal(ctx), in.Upload, in.Start, in.RawBody))
}

func (s *Service) completeUpload(ctx context.Context, in *OnUpload) (*uploadOutput, error) {
	return uploadOut(s.CompleteUpload(ctx, httpx.Principal(ctx), in.Upload))
}

func (s *Service) deleteUpload(ctx context.Context, in *OnUpload) (*struct{}, error) {
	return nil, s.DeleteUpload(ctx, httpx.Principal(ctx), in.Upload)
}
