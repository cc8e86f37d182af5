package iam

import (
	"context"

	api "coffer/internal/aws/api/iam"
)

// ListMFADevices lists the devices of a user or, for the root user, its own.
func (s *Service) ListMFADevices(ctx context.Context, in *api.ListMFADevicesInput) (
	*api.ListMFADevicesOutput, error,
) {
	out := &api.ListMFADevicesOutput{}
	return out, s.view(ctx, func(r *request) error {
		holder, name, err := r.mfaHolder(in.UserName)
		if err != nil {
			return err
		}
		list, err := devices(r.tx, r.account(), heldBy(holder))
		if err != nil {
			return err
		}
		p := paging{in.Marker, in.MaxItems, []string{"MFA devices", r.account(), holder}}
		list, out.IsTruncated, out.Marker, err = page(r.tx, p, list, (*device).serial)
		out.MFADevices = convert(list, func(d *device) api.MFADevice {
			return api.MFADevice{EnableDate: shownTime(d.Enabled), SerialNumber: d.serial(),
				UserName: name}
		})
		return err
	})
}

// ListVirtualMFADevices lists the devices of the account, without their seeds.
func (s *Service) ListVirtualMFADevices(
	ctx context.Context, in *api.ListVirtualMFADevicesInput,
) (*api.ListVirtualMFADevicesOutput, error) {
	out := &api.ListVirtualMFADevicesOutput{}
	return out, s.view(ctx, func(r *request) error {
		list, err := devices(r.tx, r.account(), func(d *device) bool {
			switch in.AssignmentStatus {
			case "Assigned":
				return d.Holder != ""
			case "Unassigned":
				return d.Holder == ""
			}
			return true
		})
		if err != nil {
			return err
		}
		p := paging{in.Marker, in.MaxItems,
			[]string{"virtual MFA devices", r.account(), in.AssignmentStatus}}
		list, out.IsTruncated, out.Marker, err = page(r.tx, p, list, (*device).serial)
		if err != nil {
			return err
		}
		out.VirtualMFADevices = []api.VirtualMFADevice{}
		for _, d := range list {
			who, err := r.holderOf(d)
			if err != nil {
				return err
			}
			out.VirtualMFADevices = append(out.VirtualMFADevices, api.VirtualMFADevice{
				SerialNumber: d.serial(), EnableDate: shownTime(d.Enabled), User: who,
			})
		}
		return nil
	})
}

// holderOf is whose a device is; nil means nobody's.
func (r *request) holderOf(d *device) (*api.User, error) {
	switch d.Holder {
	case "":
		return nil, nil
	case devicesOfRoot:
		created, err := r.accountCreated()
		root := RootIdentity(d.Account).Principal
		return &api.User{Arn: root.ARN, UserId: d.Account, CreateDate: shownTime(created)}, err
	}
	e, err := existing(r.tx, d.Account, userKind, d.Holder)
	if err != nil {
		return nil, err
	}
	return e.user(), nil
}

// GetMFADevice tells of one device.
func (s *Service) GetMFADevice(ctx context.Context, in *api.GetMFADeviceInput) (
	*api.GetMFADeviceOutput, error,
) {
	out := &api.GetMFADeviceOutput{}
	return out, s.view(ctx, func(r *request) error {
		d, err := r.device(in.SerialNumber)
		if err != nil {
			return err
		}
		holder, name := d.Holder, ""
		if in.UserName != "" {
			if holder, name, err = r.mfaHolder(in.UserName); err != nil {
				return err
			}
		} else if who, err := r.holderOf(d); err != nil {
			return err
		} else if who != nil {
			name = who.UserName
		}
		if d.Holder == "" || d.Holder != holder {
			return notFound("MFA Device with serial number %s is not assigned to the user.",
				in.SerialNumber)
		}
		out.SerialNumber, out.EnableDate, out.UserName = d.serial(), shownTime(d.Enabled), name
		return nil
	})
}

// TagMFADevice adds tags or replaces their values.
func (s *Service) TagMFADevice(ctx context.Context, in *api.TagMFADeviceInput) (
	*api.TagMFADeviceOutput, error,
) {
	return &api.TagMFADeviceOutput{}, s.update(ctx, func(r *request) error {
		d, err := r.device(in.SerialNumber)
		if err == nil {
			d.Tags, err = addTags(d.Tags, in.Tags)
		}
		if err != nil {
			return err
		}
		return d.save(r.tx)
	})
}

// UntagMFADevice removes tags.
func (s *Service) UntagMFADevice(ctx context.Context, in *api.UntagMFADeviceInput) (
	*api.UntagMFADeviceOutput, error,
) {
	return &api.UntagMFADeviceOutput{}, s.update(ctx, func(r *request) error {
		d, err := r.device(in.SerialNumber)
		if err != nil {
			return err
		}
		d.Tags = removeTags(d.Tags, in.TagKeys)
		return d.save(r.tx)
	})
}

// ListMFADeviceTags lists tags in the order of their keys.
func (s *Service) ListMFADeviceTags(ctx context.Context, in *api.ListMFADeviceTagsInput) (
	*api.ListMFADeviceTagsOutput, error,
) {
	out := &api.ListMFADeviceTagsOutput{}
	return out, s.view(ctx, func(r *request) error {
		d, err := r.device(in.SerialNumber)
		if err == nil {
			e := &entity{Tags: d.Tags, ID: d.serial()}
			out.Tags, out.IsTruncated, out.Marker, err = r.tagPage(e, in.Marker, in.MaxItems)
		}
		return err
	})
}

// countDevices counts devices for a summary.
func (r *request) countDevices(sum map[string]int32) error {
	list, err := devices(r.tx, r.account(), func(*device) bool { return true })
	sum["MFADevices"], sum["MFADevicesInUse"], sum["AccountMFAEnabled"] = int32(len(list)), 0, 0
	for _, d := range list {
		if d.Holder != "" {
			sum["MFADevicesInUse"]++
		}
		if d.Holder == devicesOfRoot {
			sum["AccountMFAEnabled"] = 1
		}
	}
	return err
}
