using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace Llama2.TorchSharp;

/// <summary>A device by its name in PyTorch. Parsing it loads nothing; <see cref="Start"/> does.</summary>
internal sealed record TorchDevice(DeviceType Type, int Index)
{
    private const string Known = "cpu, cuda, cuda:0, cuda:1 (and so on) and mps";
    private const string Libraries = "TorchSharp-cuda-windows or TorchSharp-cuda-linux for an NVIDIA GPU, TorchSharp-cpu for any processor and for Apple's GPU";

    public bool IsCpu => Type == DeviceType.CPU;

    public string Name => Type switch
    {
        DeviceType.CPU => "cpu",
        DeviceType.MPS => "mps",
        _ => string.Create(CultureInfo.InvariantCulture, $"cuda:{Index}"),
    };

    public static TorchDevice Parse(string device)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(device);
        return device.Split(':') switch
        {
            ["cpu"] => new(DeviceType.CPU, -1),
            ["mps"] => new(DeviceType.MPS, -1),
            ["cuda"] => new(DeviceType.CUDA, 0),
            ["cuda", string number] when int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int index) => new(DeviceType.CUDA, index),
            _ => throw new ArgumentException($"There is no device '{device}'; the backend knows {Known}.", nameof(device)),
        };
    }

    /// <summary>Loads libtorch and makes sure that the device is there.</summary>
    /// <exception cref="TorchUnavailableException">One of them is not.</exception>
    public Device Start()
    {
        try
        {
            InitializeDeviceType(Type == DeviceType.CUDA ? DeviceType.CUDA : DeviceType.CPU);
            (bool isThere, string missing) = Type switch
            {
                DeviceType.CUDA => (Index < cuda.device_count(), $"libtorch sees {cuda.device_count()} CUDA devices"),
                DeviceType.MPS => (mps_is_available(), "libtorch has no Metal device here"),
                _ => (true, ""),
            };
            return isThere ? new Device(Type, Index) : throw new TorchUnavailableException(Name, $"The device {Name} was asked for, and {missing}.");
        }
        catch (Exception exception) when (exception is not TorchUnavailableException)
        {
            throw Unavailable(exception);
        }
    }

    /// <summary>What to tell people where TorchSharp could not load its native part or the device's.</summary>
    public TorchUnavailableException Unavailable(Exception exception)
    {
        Exception cause = exception.GetBaseException();
        string about = cause is DllNotFoundException or BadImageFormatException ? $" ({cause.Message})" : "";
        return Type == DeviceType.CUDA
            ? new(Name, $"The device {Name} was asked for, and libtorch with CUDA could not be loaded or sees no GPU{about}. Reference the package TorchSharp-cuda-windows or " +
                "TorchSharp-cuda-linux in the version of TorchSharp, and install an NVIDIA driver; or choose the device cpu. TorchSharp's own account is the inner exception.", exception)
            : new(Name, $"libtorch could not be loaded for the device {Name}{about}. Reference one of its packages in the version of TorchSharp: {Libraries}. On Linux it also needs " +
                "the C++ library of GCC 13 or later. TorchSharp's own account is the inner exception.", exception);
    }
}
