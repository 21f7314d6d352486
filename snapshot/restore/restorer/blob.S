/* The linked restorer as bytes of this program; RESTORER_BIN is its path. */
	.section .rodata
	.globl restorer_blob, restorer_blob_end
	.balign 64
restorer_blob:
	.incbin RESTORER_BIN
restorer_blob_end:
	.section .note.GNU-stack,"",@progbits
