"""Names of torch that minitorch lacks: quantisation, other libraries' kernels, the parts of TorchScript, and more."""

NAMES = frozenset(
    """
    _export AVG AggregationType AliasDb AnyType Argument ArgumentSpec AwaitType BenchmarkConfig
    BenchmarkExecutionStats Block BoolType BufferDict CallStack Capsule ClassType Code CompilationUnit
    CompleteArgumentSpec ComplexDoubleStorage ComplexFloatStorage ComplexType ConcreteModuleType
    ConcreteModuleTypeBuilder DeepCopyMemoTable DeserializationStorageContext DeviceObjType DictType DispatchKey
    DispatchKeySet EnumType ErrorReport Event ExcludeDispatchKeyGuard ExecutionPlan FatalError FileCheck FloatType
    FunctionSchema Future FutureType Gradient Graph GraphExecutorState IODescriptor InferredType IntType InterfaceType
    JITException ListType LiteScriptModule LockingLogger LoggerBase ModuleDict Node NoneType NoopLogger NumberType
    OperatorInfo OptionalType PRIVATE_OPS ParameterDict PyObjectType PyTorchFileWriter QInt32Storage QInt8Storage
    QUInt2x4Storage QUInt4x2Storage QUInt8Storage RRefType SUM ScriptClass ScriptClassFunction ScriptDict
    ScriptDictIterator ScriptDictKeyIterator ScriptFunction ScriptList ScriptListIterator ScriptMethod
    ScriptModuleSerializer ScriptObject ScriptObjectProperty SerializationStorageContext StaticModule Storage
    StorageBase Stream StreamObjType StringType SymBoolType SymIntType TYPE_CHECKING Tag TensorType
    ThroughputBenchmark TracingState TupleType Type USE_GLOBAL_DEPS USE_RTLD_GLOBAL_WITH_LIBTORCH UnionType Use Value
    ao batch_norm_backward_elemt batch_norm_backward_reduce batch_norm_elemt batch_norm_gather_stats
    batch_norm_gather_stats_with_counts batch_norm_stats batch_norm_update_stats ccol_indices_copy
    choose_qparams_optimized classes classproperty col_indices_copy compiled_with_cxx11_abi cpp crow_indices_copy
    cudnn_affine_grid_generator cudnn_batch_norm cudnn_convolution cudnn_convolution_add_relu cudnn_convolution_relu
    cudnn_convolution_transpose cudnn_grid_sampler cudnn_is_acceptable dequantize empty_quantized export
    fake_quantize_per_channel_affine fake_quantize_per_tensor_affine fbgemm_linear_fp16_weight
    fbgemm_linear_fp16_weight_fp32_activation fbgemm_linear_int8_weight fbgemm_linear_int8_weight_fp32_activation
    fbgemm_linear_quantize_weight fbgemm_pack_gemm_matrix_fp16 fbgemm_pack_quantized_matrix fork from_file
    fused_moving_avg_obs_fake_quant futures get_autocast_ipu_dtype get_autocast_xla_dtype get_file_path hsmm
    import_ir_module import_ir_module_from_buffer indices_copy init_num_threads int_repr is_autocast_ipu_enabled
    is_autocast_xla_enabled merge_type_from_type_comment miopen_batch_norm miopen_convolution
    miopen_convolution_add_relu miopen_convolution_relu miopen_convolution_transpose miopen_ctc_loss
    miopen_depthwise_convolution miopen_rnn mkldnn_adaptive_avg_pool2d mkldnn_convolution
    mkldnn_linear_backward_weights mkldnn_max_pool2d mkldnn_max_pool3d mkldnn_rnn_layer monitor mtia native_norm
    nested ops package parse_ir parse_schema parse_type_comment per_channel_affine per_channel_affine_float_qparams
    per_channel_symmetric per_tensor_affine per_tensor_symmetric prepare_multiprocessing_environment
    profiler_allow_cudagraph_cupti_lazy_reinit_cuda12 q_per_channel_axis q_per_channel_scales
    q_per_channel_zero_points q_scale q_zero_point qscheme quantization quantize_per_channel quantize_per_tensor
    quantize_per_tensor_dynamic quantized_batch_norm quantized_gru quantized_gru_cell quantized_lstm
    quantized_lstm_cell quantized_max_pool1d quantized_max_pool2d quantized_max_pool3d quantized_rnn_relu_cell
    quantized_rnn_tanh_cell quasirandom resize_as_sparse_ row_indices_copy saddmm set_autocast_ipu_dtype
    set_autocast_ipu_enabled set_autocast_xla_dtype set_autocast_xla_enabled slice_inverse sparse_compressed_tensor
    sym_constrain_range sym_constrain_range_for_size sym_fresh_size thread_safe_generator unify_type_list values_copy
    view_as_complex_copy view_as_real_copy wait while_loop windows
    """.split()
)
