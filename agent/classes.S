/*
 * The class files of agent/java in the order in which they can be defined (a class after its
 * superclass and interfaces), and a table of where each begins and how long it is (crac.c).
 */
	.macro	class_file name
	.pushsection .rodata
11:	.incbin	"jsnap/\name\().class"
12:
	.popsection
	.quad	11b, 12b - 11b
	.endm

	.section .data.rel.ro.local, "aw"
	.balign	8
	.globl	agent_classes
	.hidden	agent_classes
agent_classes:
	class_file Program
	class_file RestoreMXBean
	class_file RestoreBean
	class_file Sample
	class_file Opener
	class_file crac/Resource
	class_file crac/Context
	class_file crac/CheckpointException
	class_file crac/RestoreException
	class_file crac/Agent
	class_file crac/GlobalContext$Entry
	class_file crac/GlobalContext
	class_file crac/Turn
	class_file crac/Report
	class_file crac/Watch
	class_file crac/Announcement$Stage
	class_file crac/Announcement
	class_file crac/Core
	.quad	0, 0

	.section .note.GNU-stack, "", @progbits
