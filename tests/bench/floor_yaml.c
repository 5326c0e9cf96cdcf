/* SPDX-License-Identifier: GPL-2.0-or-later */
/* floor_yaml FILE: a bare libyaml event loop over the file; nothing is kept. */
#include <stdio.h>
#include <yaml.h>

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
	yaml_parser_t parser;
	yaml_event_t event;
	unsigned long events = 0;
	int done = 0;

	if (!file || !yaml_parser_initialize(&parser)) {
		fputs("Usage: floor_yaml FILE\n", stderr);
		return 64;
	}
	yaml_parser_set_input_file(&parser, file);
	while (!done) {
		if (!yaml_parser_parse(&parser, &event))
			return 1;
		done = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
		events++;
	}
	yaml_parser_delete(&parser);
	fclose(file);
	printf("%lu events\n", events);
	return 0;
}
