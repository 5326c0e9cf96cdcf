// SPDX-License-Identifier: GPL-2.0-or-later
/* Which VF has which vGPU, in either framework. */
#include "gpu.h"

#include <linux/delay.h>

#include "knobs.h"

/* A driver that was just bound does not know its types yet. */
static bool knows_types(const struct gpu *gpu)
{
	return gpu->driven &&
	       time_after_eq(jiffies, gpu->driven_since + msecs_to_jiffies(READ_ONCE(knob_late_types_ms)));
}

/* All vGPUs of a GPU have one size of framebuffer, as long as it is not in mixed-size mode. */
bool vgpu_fits(const struct gpu *gpu, const struct vgpu_type *type)
{
	u32 used_gib = 0;
	unsigned int i;

	for (i = 0; i < knob_totalvfs; i++) {
		const struct vgpu_type *other = gpu->vfs[i].type;

		if (other && other->gib != type->gib && !knob_mixed)
			return false;
		used_gib += other ? other->gib : 0;
	}
	return knows_types(gpu) && (used_gib + type->gib) * 1024 <= knob_fb_mb;
}

/* A guest has it, or had it a moment ago. */
bool vgpu_is_held(const struct vf *vf)
{
	return vf->opened > 0 || (vf->settling && time_before(jiffies, vf->settled));
}

int vgpu_stumble(void)
{
	msleep(knob_type_delay_ms);
	knob_wait_while(&knob_block_type);
	return -abs(READ_ONCE(knob_fail_type));
}

void vgpu_set(struct vf *vf, const struct vgpu_type *type)
{
	vf->type = type;
	vf->params[0] = '\0';
	vf->settling = false;
}

void vgpu_open(struct gpu *gpu, struct vf *vf)
{
	mutex_lock(&gpu->lock);
	vf->opened++;
	mutex_unlock(&gpu->lock);
}

void vgpu_close(struct gpu *gpu, struct vf *vf)
{
	mutex_lock(&gpu->lock);
	if (--vf->opened == 0 && vf->type) {
		vf->settling = knob_settle_ms > 0;
		vf->settled = jiffies + msecs_to_jiffies(knob_settle_ms);
	}
	mutex_unlock(&gpu->lock);
}

/* ---- vgpu_params ---- */

static size_t span(const char *text, size_t length, bool (*belongs)(char))
{
	size_t i = 0;

	while (i < length && belongs(text[i]))
		i++;
	return i;
}

static bool in_key(char letter)
{
	return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
	       (letter >= '0' && letter <= '9') || letter == '_' || letter == '-';
}

static bool in_value(char letter)
{
	return letter != ',' && letter != '=' && letter != ' ';
}

/* "key=value,key=value" */
static bool are_params(const char *text, size_t length)
{
	while (length > 0) {
		size_t key = span(text, length, in_key), value;

		if (key == 0 || key == length || text[key] != '=')
			return false;
		value = span(text + key + 1, length - key - 1, in_value);
		if (value == 0)
			return false;
		text += key + 1 + value;
		length -= key + 1 + value;
		if (length == 0)
			return true;
		if (*text != ',')
			return false;
		text++;
		length--;
	}
	return false;
}

/* One blank takes them away. Of a VF without vGPU there is nothing to parametrize. */
int vgpu_set_params(struct vf *vf, const char *text, size_t length)
{
	bool clears;

	if (length > 0 && text[length - 1] == '\n')
		length--;
	clears = length == 1 && text[0] == ' ';
	if (length >= LONGEST_PARAMS || (!clears && !are_params(text, length)) || !vf->type)
		return -EINVAL;
	if (vgpu_is_held(vf))
		return -EPERM;
	length = clears ? 0 : length;
	memcpy(vf->params, text, length);
	vf->params[length] = '\0';
	return 0;
}

ssize_t vgpu_show_params(const struct vf *vf, char *page)
{
	return sysfs_emit(page, "%s\n", vf->params);
}
