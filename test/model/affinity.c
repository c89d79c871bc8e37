/*
 * Affinity: a client comes back to the backend that its last connection to a service went to, for
 * so many seconds after that began, as long as that backend takes new connections.
 */
#include "test/model/walk.h"

static uint32_t index_of(const struct walk *walk)
{
	return (uint32_t)(walk->service - walk->model->services);
}

static struct model_note *find_note(const struct walk *walk)
{
	struct model *model = walk->model;

	for (uint32_t i = 0; i < model->note_count; i++)
		if (model->notes[i].service == index_of(walk) &&
		    same_address(&model->notes[i].client, &walk->packet.flow.src))
			return &model->notes[i];
	return NULL;
}

struct model_backend *recall_backend(const struct walk *walk)
{
	const struct model_note *note = find_note(walk);
	struct model_backend *backend;

	if (!features[FEATURE_AFFINITY] || !walk->service->affinity_seconds || !note ||
	    note->age > walk->service->affinity_seconds)
		return NULL;
	backend = &walk->model->backends[note->backend];
	if (backend->state != BACKEND_ACTIVE)
		return NULL;
	return backend->weight || has_flaw(FLAW_AFFINITY_IGNORES_WEIGHT) ? backend : NULL;
}

void note_backend(struct walk *walk)
{
	struct model *model = walk->model;
	struct model_note *note = find_note(walk);

	if (!walk->service->affinity_seconds)
		return;
	if (!note && model->note_count == MODEL_NOTES) {
		model->is_uncertain = true;
		return;
	}
	if (!note)
		note = &model->notes[model->note_count++];
	*note = (struct model_note){
		.client = walk->packet.flow.src,
		.service = index_of(walk),
		.backend = (uint32_t)(walk->backend - model->backends),
	};
}
