#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every source says its licence; nothing is left unfinished; rooms only include rooms they may know.
set -euo pipefail
status=0
while read -r file; do
	head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' || { echo "$file: no SPDX line"; status=1; }
done < <(find reconciler tests contrib cmake \( -name '*.c' -o -name '*.h' -o -name '*.sh' -o -name '*.cmake' -o -name CMakeLists.txt \))
unfinished='TO''DO|FIX''ME|X''XX\b|HA''CK\b'
if grep -rnE "$unfinished" reconciler schema examples contrib docs README.md --include='*'; then status=1; fi
# The planner, the model and the language never reach for the host.
if grep -rnE '#include "(host|run|cli)/|libvirt/|pci/pci\.h' reconciler/plan reconciler/model reconciler/intent reconciler/base; then status=1; fi
exit $status
