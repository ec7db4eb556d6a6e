/* The registry of commands. */
#include "cli/command.h"

#define ENTRY(name) extern const rsd_command rsd_command_##name;
#include "cli/commands.h"
#undef ENTRY

const rsd_command *const rsd_commands[] = {
#define ENTRY(name) &rsd_command_##name,
#include "cli/commands.h"
#undef ENTRY
    NULL
};
