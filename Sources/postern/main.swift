// SPDX-License-Identifier: Apache-2.0

import Command

PosternCommand.runWithArguments()
